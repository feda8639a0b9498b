//! `cargo xtask`: builds, tests, serves and measures the project, and installs what that needs.

mod audit;
mod bench;
mod counts;
mod demo;
mod dependencies;
mod evaluators;
#[cfg(test)]
mod examples;
mod install;
mod instructions;
mod package;
mod process;
mod project;
mod prove;
mod results;
mod serve;
mod site;
mod size;
mod test;
mod tracked;
mod wasm;

use std::path::PathBuf;
use std::process::ExitCode;

/// Every failure ends as one sentence for the person at the terminal.
type Result<T> = std::result::Result<T, String>;

const USAGE: &str = "\
cargo xtask COMMAND

  demo [--port N]        build everything, serve the demo page, stay in the foreground
  test                   every check and test, as CI runs them
  site                   the demo and the documentation as static files; the last line is their folder
  build                  the wasm module and the npm package, when their inputs changed
  package                build, then pack the npm package; the last line is the tarball's path
  audit [--json FILE]    what may leave the device, checked in two minutes; exit code 1 when a promise does not hold
  audit-deps             other people's code: where it comes from, its licences, what ships; exit code 1 when something is wrong
  bench [--json FILE]    ours beside plain JavaScript and other libraries in Chromium, the bodies in Firefox
  instructions           counts the instructions of ranking and writes xtask/instructions.json, which the tests compare with
  prove [NAME] [--resume]
                         the long proofs; writes docs/results/NAME.json (without NAME: lists them)
  docs [--write]         compare the numbers in the texts with docs/results, or update the texts
";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match run(&arguments) {
        Ok(code) => code,
        Err(message) => {
            eprintln!("error: {message}");
            ExitCode::FAILURE
        }
    }
}

fn audited(json: Option<PathBuf>) -> Result<ExitCode> {
    Ok(if audit::run(json)? { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn run(arguments: &[String]) -> Result<ExitCode> {
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["demo"] => serve::demo(0)?,
        ["demo", "--port", port] => {
            let port = port.parse().map_err(|_| format!("--port takes a number from 0 to 65535, got {port}"))?;
            serve::demo(port)?;
        }
        ["test"] => return test::run(),
        ["site"] => println!("{}", site::build()?.display()),
        ["build"] => package::build()?,
        ["package"] => println!("{}", package::pack()?.display()),
        ["audit"] => return audited(None),
        ["audit", "--json", file] => return audited(Some(PathBuf::from(file))),
        ["audit-deps"] => dependencies::audit()?,
        ["bench"] => bench::run(None)?,
        ["bench", "--json", file] => bench::run(Some(PathBuf::from(file)))?,
        ["instructions"] => instructions::write()?,
        ["prove"] => prove::list(),
        ["prove", name] if !name.starts_with('-') => prove::run(name, false)?,
        ["prove", name, "--resume"] | ["prove", "--resume", name] => prove::run(name, true)?,
        ["docs"] => results::check()?,
        ["docs", "--write"] => results::write()?,
        [] | ["help" | "--help" | "-h"] => print!("{USAGE}"),
        _ => {
            eprint!("{USAGE}");
            return Err(format!("unknown arguments: {}", words.join(" ")));
        }
    }
    Ok(ExitCode::SUCCESS)
}
