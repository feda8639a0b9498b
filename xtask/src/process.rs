//! Starts other programs: shown to the reader, captured for a parser, or logged with a time limit.

use crate::{Result, project};
use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// No single step takes longer than this; one that does hangs.
const STEP_LIMIT: Duration = Duration::from_secs(25 * 60);
const HEARTBEAT: Duration = Duration::from_secs(30);

/// A command that starts in the repository's root and finds the installed tools first.
pub fn command(program: impl AsRef<std::ffi::OsStr>) -> Command {
    let mut command = Command::new(program);
    command.current_dir(project::root());
    let tools = project::target().join("tools").join("bin");
    let rest = std::env::var_os("PATH").unwrap_or_default();
    let path = std::iter::once(tools).chain(std::env::split_paths(&rest));
    if let Ok(path) = std::env::join_paths(path) {
        command.env("PATH", path);
    }
    // What Cargo says of xtask to xtask is not meant for the programs that it starts.
    for (name, _) in std::env::vars_os() {
        let name = name.to_string_lossy();
        if name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_") {
            command.env_remove(&*name);
        }
    }
    command
}

/// Runs with the reader watching.
pub fn shown(command: &mut Command) -> Result<()> {
    let status = command.stdin(Stdio::null()).status().map_err(|error| format!("cannot start {}: {error}", name(command)))?;
    if status.success() { Ok(()) } else { Err(format!("{} failed ({status})", line(command))) }
}

/// Runs and returns what was printed to standard output.
pub fn captured(command: &mut Command) -> Result<String> {
    let output = command.stdin(Stdio::null()).output().map_err(|error| format!("cannot start {}: {error}", name(command)))?;
    if output.status.success() {
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    } else {
        Err(format!("{} failed ({}): {}", line(command), output.status, String::from_utf8_lossy(&output.stderr).trim()))
    }
}

/// What a logged command left behind.
pub struct Logged {
    /// Whether it ended with exit code 0.
    pub ok: bool,
    /// Standard output and standard error, in the order written.
    pub output: String,
}

/// Runs with both outputs appended to the file `log`, says now and then that it is still at work, and
/// ends a command that hangs.
pub fn logged(command: &mut Command, log: &Path) -> Result<Logged> {
    let cannot = |error: std::io::Error| format!("cannot write {}: {error}", log.display());
    let mut file = File::options().create(true).append(true).read(true).open(log).map_err(cannot)?;
    let start_of_output = file.seek(SeekFrom::End(0)).map_err(cannot)?;
    let mut child = command
        .stdin(Stdio::null())
        .stdout(file.try_clone().map_err(cannot)?)
        .stderr(file.try_clone().map_err(cannot)?)
        .spawn()
        .map_err(|error| format!("cannot start {}: {error}", name(command)))?;
    let started = Instant::now();
    let mut next_heartbeat = HEARTBEAT;
    let mut pause = Duration::from_millis(5);
    let (ok, note) = loop {
        if let Some(status) = child.try_wait().map_err(|error| error.to_string())? {
            let note = if status.code().is_none() { format!("\n{status}\n") } else { String::new() };
            break (status.success(), note);
        }
        if started.elapsed() > STEP_LIMIT {
            // It may have ended in this very moment; either way it is gone.
            let _ = child.kill();
            let _ = child.wait();
            let minutes = STEP_LIMIT.as_secs() / 60;
            break (false, format!("\nstopped after {minutes} minutes\n"));
        }
        if started.elapsed() > next_heartbeat {
            println!("        … {:>4} s  {}", started.elapsed().as_secs(), last_line(log));
            next_heartbeat += HEARTBEAT;
        }
        std::thread::sleep(pause);
        pause = (pause * 2).min(Duration::from_millis(200));
    };
    let mut bytes = Vec::new();
    file.seek(SeekFrom::Start(start_of_output)).map_err(cannot)?;
    file.read_to_end(&mut bytes).map_err(cannot)?;
    let mut output = strip_colour(&String::from_utf8_lossy(&bytes));
    output.push_str(&note);
    Ok(Logged { ok, output })
}

/// The last `count` lines of `output`.
pub fn tail(output: &str, count: usize) -> String {
    let lines: Vec<&str> = output.trim_end().lines().collect();
    let from = lines.len().saturating_sub(count);
    lines.get(from..).unwrap_or_default().join("\n")
}

/// The command as one would type it.
pub fn line(command: &Command) -> String {
    let mut text = name(command);
    for argument in command.get_args() {
        text.push(' ');
        text.push_str(&argument.to_string_lossy());
    }
    text
}

/// Prints without a line break, at once.
pub fn say(text: &str) {
    print!("{text}");
    // Nobody is left to tell when standard output is closed.
    let _ = std::io::stdout().flush();
}

fn name(command: &Command) -> String {
    let program = Path::new(command.get_program());
    program.file_name().unwrap_or(program.as_os_str()).to_string_lossy().into_owned()
}

fn last_line(log: &Path) -> String {
    let text = std::fs::read(log).unwrap_or_default();
    let text = strip_colour(&String::from_utf8_lossy(&text));
    let line = text.lines().rev().map(str::trim).find(|line| !line.is_empty()).unwrap_or_default();
    line.chars().take(90).collect()
}

/// Removes terminal colours (`ESC [ … m` and the like).
pub fn strip_colour(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        if character != '\u{1b}' {
            plain.push(character);
        } else if characters.next() == Some('[') {
            // The sequence ends with its first letter.
            let _ = characters.find(char::is_ascii_alphabetic);
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_are_removed() {
        assert_eq!(strip_colour("test result: \u{1b}[32mok\u{1b}[0m. 3 passed"), "test result: ok. 3 passed");
    }

    #[test]
    fn the_tail_is_the_end() {
        assert_eq!(tail("a\nb\nc\n", 2), "b\nc");
        assert_eq!(tail("a", 2), "a");
        assert_eq!(tail("", 2), "");
    }

    #[test]
    fn a_logged_command_keeps_both_outputs_and_the_verdict() {
        let log = std::env::temp_dir().join(format!("xtask-logged-{}", std::process::id()));
        let good = logged(Command::new("sh").args(["-c", "echo a; echo b >&2"]), &log).unwrap();
        assert!(good.ok);
        assert_eq!(good.output, "a\nb\n");
        let bad = logged(Command::new("sh").args(["-c", "echo c; exit 3"]), &log).unwrap();
        assert!(!bad.ok);
        assert_eq!(bad.output, "c\n");
        std::fs::remove_file(&log).unwrap();
    }
}
