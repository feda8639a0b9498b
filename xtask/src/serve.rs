//! The demo's server: static files on this machine only, and a receiver for what the demo uploads.

use crate::{Result, demo, install, project, site, wasm};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::time::Duration;

const FIRST_PORT: u16 = 8080;
const PORTS_TRIED: u16 = 100;
const PATIENCE: Duration = Duration::from_secs(10);
const MAX_HEAD: u64 = 16 * 1024;
const MAX_BODY: u64 = 64 * 1024;

/// Builds everything and serves the demo until the process is ended. Port 0: 8080 or the next free one.
pub fn demo(port: u16) -> Result<()> {
    demo::build(&mut install::watched)?;
    site::docs(&mut install::watched)?;
    let listener = listen(port)?;
    let address = listener.local_addr().map_err(|error| error.to_string())?;
    println!("ready: http://{address}/");
    serve(&listener, &Site::demo());
    Ok(())
}

fn listen(port: u16) -> Result<TcpListener> {
    let candidates = match port {
        0 => FIRST_PORT..FIRST_PORT + PORTS_TRIED,
        _ => port..port.saturating_add(1),
    };
    let mut last = format!("port {port} cannot be used");
    for candidate in candidates {
        match TcpListener::bind(("127.0.0.1", candidate)) {
            Ok(listener) => return Ok(listener),
            Err(error) => last = format!("cannot listen on 127.0.0.1:{candidate}: {error}"),
        }
    }
    Err(last)
}

/// Answers every connection in a thread of its own.
pub fn serve(listener: &TcpListener, site: &Site) {
    for stream in listener.incoming() {
        let Ok(stream) = stream else { continue };
        let site = site.clone();
        std::thread::spawn(move || {
            // A browser that goes away in the middle is no failure of ours.
            let _ = answer(stream, &site);
        });
    }
}

/// Which folders are served under which prefixes.
#[derive(Clone)]
pub struct Site {
    mounts: Vec<(String, PathBuf)>,
}

/// What a request's path leads to.
#[derive(Debug, PartialEq, Eq)]
enum Place {
    File(PathBuf),
    /// A folder named without its closing slash.
    Folder,
    Nowhere,
}

impl Site {
    /// The page, the built package beside it, the catalogue's files.
    pub fn demo() -> Site {
        let root = project::root();
        Site::new(&[
            ("/", root.join("www")),
            ("/ears-only/", root.join("js/dist")),
            ("/built/", root.join(wasm::DEMO_OUT)),
            ("/docs/", site::docs_folder()),
            ("/catalogue/", root.join("world/catalogue")),
        ])
    }

    fn new(mounts: &[(&str, PathBuf)]) -> Site {
        let mut mounts: Vec<(String, PathBuf)> =
            mounts.iter().map(|(prefix, folder)| ((*prefix).to_owned(), folder.clone())).collect();
        mounts.sort_by_key(|(prefix, _)| std::cmp::Reverse(prefix.len()));
        Site { mounts }
    }

    /// Finds the file for a request's path. Nothing outside the mounted folders is ever reached: not by
    /// `..`, however it is encoded, not by a hidden name, not by a link.
    fn find(&self, target: &str) -> Place {
        let path = target.split(['?', '#']).next().unwrap_or_default();
        let Some(path) = decode(path) else {
            return Place::Nowhere;
        };
        let Some((folder, rest)) = self.mounts.iter().find_map(|(prefix, folder)| {
            let rest = path.strip_prefix(prefix.as_str())?;
            Some((folder, rest))
        }) else {
            return Place::Nowhere;
        };
        let mut file = folder.clone();
        let mut parts: Vec<&str> = rest.split('/').collect();
        if parts.last() == Some(&"") {
            parts.pop();
            parts.push("index.html");
        }
        for part in parts {
            if part.is_empty() || part.starts_with('.') || part.contains(['\\', ':']) {
                return Place::Nowhere;
            }
            file.push(part);
        }
        let (Ok(file), Ok(folder)) = (file.canonicalize(), folder.canonicalize()) else {
            return Place::Nowhere;
        };
        if !file.starts_with(&folder) {
            Place::Nowhere
        } else if file.is_dir() {
            Place::Folder
        } else {
            Place::File(file)
        }
    }
}

/// Resolves `%41`; `None` for what is no text or holds a control character.
fn decode(path: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(path.len());
    let mut rest = path.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let high = char::from(rest.next()?).to_digit(16)?;
            let low = char::from(rest.next()?).to_digit(16)?;
            bytes.push(u8::try_from(high * 16 + low).ok()?);
        } else {
            bytes.push(byte);
        }
    }
    String::from_utf8(bytes).ok().filter(|text| !text.contains(char::is_control))
}

fn content_type(file: &Path) -> &'static str {
    let extension = file.extension().unwrap_or_default().to_string_lossy();
    match extension.to_ascii_lowercase().as_str() {
        "html" => "text/html; charset=utf-8",
        "js" | "mjs" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "json" | "map" => "application/json; charset=utf-8",
        "webmanifest" => "application/manifest+json; charset=utf-8",
        "tsv" => "text/tab-separated-values; charset=utf-8",
        "wasm" => "application/wasm",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "jpg" | "jpeg" => "image/jpeg",
        "webp" => "image/webp",
        "ico" => "image/x-icon",
        "woff2" => "font/woff2",
        "zip" => "application/zip",
        "txt" | "md" | "ts" => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}

struct Request {
    method: String,
    target: String,
    length: Option<u64>,
}

fn answer(stream: TcpStream, site: &Site) -> std::io::Result<()> {
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let mut reader = BufReader::new(stream.try_clone()?);
    let Some(request) = read_head(&mut reader)? else {
        return respond(&stream, "400 Bad Request", &[], None);
    };
    let path = request.target.split('?').next().unwrap_or_default();
    match request.method.as_str() {
        "POST" if path == "/collect" => collect(&stream, &mut reader, request.length),
        "GET" | "HEAD" => match site.find(&request.target) {
            Place::File(file) => match std::fs::read(&file) {
                Ok(bytes) => {
                    let headers = [("Content-Type", content_type(&file))];
                    let with_body = request.method == "GET";
                    send(&stream, "200 OK", &headers, &bytes, with_body)
                }
                Err(_) => respond(&stream, "404 Not Found", &[], Some("not found\n")),
            },
            Place::Folder => {
                let location = format!("{path}/");
                let status = "308 Permanent Redirect";
                respond(&stream, status, &[("Location", &location)], None)
            }
            Place::Nowhere => respond(&stream, "404 Not Found", &[], Some("not found\n")),
        },
        _ => {
            let allowed = if path == "/collect" { "POST" } else { "GET, HEAD" };
            respond(&stream, "405 Method Not Allowed", &[("Allow", allowed)], None)
        }
    }
}

/// The demo's receiver: takes a body, says how long it was, keeps nothing.
fn collect(stream: &TcpStream, reader: &mut impl Read, length: Option<u64>) -> std::io::Result<()> {
    match length {
        None => respond(stream, "411 Length Required", &[], None),
        Some(length) if length > MAX_BODY => respond(stream, "413 Content Too Large", &[], None),
        Some(length) => {
            let got = std::io::copy(&mut reader.take(length), &mut std::io::sink())?;
            if got < length {
                return respond(stream, "400 Bad Request", &[], None);
            }
            println!("collected {got} bytes");
            // A demo on another port may name this receiver.
            let anyone = [("Access-Control-Allow-Origin", "*")];
            respond(stream, "204 No Content", &anyone, None)
        }
    }
}

/// The request line and the one header that matters; `None` for what is not HTTP.
fn read_head(reader: &mut impl BufRead) -> std::io::Result<Option<Request>> {
    let mut head = reader.take(MAX_HEAD);
    let mut line = String::new();
    head.read_line(&mut line)?;
    let mut words = line.split_whitespace();
    let (Some(method), Some(target), Some(version)) = (words.next(), words.next(), words.next()) else {
        return Ok(None);
    };
    if !target.starts_with('/') || !version.starts_with("HTTP/1.") {
        return Ok(None);
    }
    let mut request = Request { method: method.to_owned(), target: target.to_owned(), length: None };
    loop {
        let mut line = String::new();
        if head.read_line(&mut line)? == 0 {
            return Ok(None);
        }
        if line.trim().is_empty() {
            return Ok(Some(request));
        }
        if let Some((name, value)) = line.split_once(':')
            && name.eq_ignore_ascii_case("content-length")
        {
            match value.trim().parse() {
                Ok(length) => request.length = Some(length),
                Err(_) => return Ok(None),
            }
        }
    }
}

fn respond(stream: &TcpStream, status: &str, headers: &[(&str, &str)], text: Option<&str>) -> std::io::Result<()> {
    let body = text.unwrap_or_default();
    let mut headers = headers.to_vec();
    if !body.is_empty() {
        headers.push(("Content-Type", "text/plain; charset=utf-8"));
    }
    send(stream, status, &headers, body.as_bytes(), true)
}

fn send(mut stream: &TcpStream, status: &str, headers: &[(&str, &str)], body: &[u8], with_body: bool) -> std::io::Result<()> {
    let mut response = format!("HTTP/1.1 {status}\r\n");
    for (name, value) in headers {
        response.push_str(&format!("{name}: {value}\r\n"));
    }
    if !status.starts_with("204") {
        response.push_str(&format!("Content-Length: {}\r\n", body.len()));
    }
    // Never an old build, never a guess at the type.
    response.push_str("Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\nConnection: close\r\n\r\n");
    let mut bytes = response.into_bytes();
    if with_body {
        bytes.extend_from_slice(body);
    }
    stream.write_all(&bytes)?;
    stream.flush()
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Folder(PathBuf);

    impl Folder {
        fn new(name: &str) -> Folder {
            let folder = std::env::temp_dir().join(format!("xtask-serve-{name}-{}", std::process::id()));
            std::fs::create_dir_all(folder.join("www/data")).unwrap();
            std::fs::create_dir_all(folder.join("dist")).unwrap();
            for (file, text) in [
                ("www/index.html", "<h1>Home</h1>"),
                ("www/data/a b.json", "{}"),
                ("www/.hidden", "no"),
                ("dist/index.js", "export {}"),
                ("secret.txt", "no"),
            ] {
                std::fs::write(folder.join(file), text).unwrap();
            }
            Folder(folder.canonicalize().unwrap())
        }

        fn site(&self) -> Site {
            Site::new(&[("/", self.0.join("www")), ("/ears-only/", self.0.join("dist"))])
        }

        fn file(&self, name: &str) -> Place {
            Place::File(self.0.join(name))
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn paths_lead_to_files_in_the_mounted_folders() {
        let folder = Folder::new("paths");
        let site = folder.site();
        assert_eq!(site.find("/"), folder.file("www/index.html"));
        assert_eq!(site.find("/?seed=7#top"), folder.file("www/index.html"));
        assert_eq!(site.find("/data/a%20b.json"), folder.file("www/data/a b.json"));
        assert_eq!(site.find("/ears-only/index.js"), folder.file("dist/index.js"));
        assert_eq!(site.find("/data"), Place::Folder);
    }

    #[test]
    fn nothing_else_is_reached() {
        let folder = Folder::new("outside");
        #[cfg(unix)]
        std::os::unix::fs::symlink(folder.0.join("secret.txt"), folder.0.join("www/link")).unwrap();
        let site = folder.site();
        for target in [
            "/../secret.txt",
            "/%2e%2e/secret.txt",
            "/..%2fsecret.txt",
            "/data/../../secret.txt",
            "/..\\secret.txt",
            "/ears-only/../secret.txt",
            "//secret.txt",
            "/.hidden",
            "/link",
            "/data/",
            "/gone",
            "/index.html%00.png",
            "/%",
            "/%zz",
            "/%ff",
            "",
            "secret.txt",
        ] {
            assert_eq!(site.find(target), Place::Nowhere, "{target}");
        }
    }

    fn ask(address: std::net::SocketAddr, request: &str) -> String {
        let mut stream = TcpStream::connect(address).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        stream.shutdown(std::net::Shutdown::Write).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }

    #[test]
    fn the_server_speaks_http() {
        let folder = Folder::new("http");
        let site = folder.site();
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let address = listener.local_addr().unwrap();
        std::thread::spawn(move || serve(&listener, &site));

        let got = ask(address, "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
        assert!(got.starts_with("HTTP/1.1 200 OK\r\nContent-Type: text/html"));
        assert!(got.ends_with("\r\n\r\n<h1>Home</h1>"));
        let head = ask(address, "HEAD /ears-only/index.js HTTP/1.1\r\n\r\n");
        assert!(head.contains("Content-Type: text/javascript"));
        assert!(head.contains("Content-Length: 9\r\n") && head.ends_with("\r\n\r\n"));
        let moved = ask(address, "GET /data HTTP/1.1\r\n\r\n");
        assert!(moved.starts_with("HTTP/1.1 308") && moved.contains("Location: /data/\r\n"));
        assert!(ask(address, "GET /gone HTTP/1.1\r\n\r\n").starts_with("HTTP/1.1 404"));
        assert!(ask(address, "PUT / HTTP/1.1\r\n\r\n").starts_with("HTTP/1.1 405"));
        assert!(ask(address, "hello\r\n\r\n").starts_with("HTTP/1.1 400"));

        let record = "POST /collect HTTP/1.1\r\nContent-Length: 16\r\n\r\n0123456789abcdef";
        assert!(ask(address, record).starts_with("HTTP/1.1 204"));
        let broken = "POST /collect HTTP/1.1\r\nContent-Length: 16\r\n\r\n0123";
        assert!(ask(address, broken).starts_with("HTTP/1.1 400"));
        let unknown = "POST /collect HTTP/1.1\r\n\r\n";
        assert!(ask(address, unknown).starts_with("HTTP/1.1 411"));
        let large = "POST /collect HTTP/1.1\r\nContent-Length: 99999999\r\n\r\n";
        assert!(ask(address, large).starts_with("HTTP/1.1 413"));
    }

    #[test]
    fn a_taken_port_is_refused_by_name() {
        let taken = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let port = taken.local_addr().unwrap().port();
        let message = listen(port).unwrap_err();
        assert!(message.contains(&port.to_string()), "{message}");
    }
}
