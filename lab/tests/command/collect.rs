//! `collect` and `estimate-probes` from a shell and over HTTP, in clear and through a gateway.

use std::io::{BufRead, BufReader, Cursor, Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use bhttp::{Message, Mode};
use ears_lab::collect::{Body, Manifests, SHORT_BYTES};
use ears_only::clock::DAY_MS;
use ears_only::privacy::{Answer, Coin, Ledger, Private, epoch_start, release};
use ears_only::random::{Purpose, Seed, SeededEntropy};
use ohttp::ClientRequest;

use crate::ears_lab;

const EPOCH: u16 = 50;
const MANIFEST: &str = r#"{"format": 2, "epochs": [46, 60], "modelVersion": "demo-1", "epsilonIndex": 2, "windowMs": 1800000,
  "probes": [{"kind": "policy", "questions": ["played_30s"],
              "arms": [{"name": "now", "policy": {}, "weight": 32768}, {"name": "next", "policy": {"temperature": 0.1}, "weight": 32768}]}]}"#;

/// A folder that goes away with the test, and a collector that ends with it.
struct Desk {
    folder: PathBuf,
    running: Option<Child>,
}

impl Desk {
    fn new(name: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("ears-lab-collector-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("manifest.json"), MANIFEST).unwrap();
        Self { folder, running: None }
    }

    fn path(&self, name: &str) -> String {
        self.folder.join(name).to_string_lossy().into_owned()
    }

    fn body(&self, number: u32, epoch: u16) -> Body {
        let manifests = Manifests::read(&[self.folder.join("manifest.json")]).unwrap();
        let manifest = &manifests.all()[0];
        let seed = Seed::from_number(number.into());
        let coin = Coin::toss(manifest, epoch, &mut SeededEntropy::new(seed.clone(), Purpose::Coin)).unwrap();
        let now = epoch_start(epoch).plus_ms(DAY_MS);
        let permit = Ledger::start(now.plus_ms(-30 * DAY_MS)).debit(manifest.epsilon(), epoch, now, now).unwrap();
        // The second arm is played twice as often as the first.
        let answer = Answer::Symbol(u8::from(number % 10 < 3 + 3 * (coin.arm as u32)));
        let mut flips = SeededEntropy::new(seed, Purpose::Flip);
        let record = release(Private::new(answer), permit, manifest, &coin, &mut flips).unwrap().bytes();
        let mut nonce = [9; 16];
        nonce[..4].copy_from_slice(&number.to_be_bytes());
        Body { nonce, record }
    }

    /// Starts a collector on a free port: its address.
    fn listen(&mut self) -> String {
        let epoch = EPOCH.to_string();
        let mut child = Command::new(env!("CARGO_BIN_EXE_ears-lab"))
            .args(["collect", "--listen", "127.0.0.1:0", "--epoch", &epoch, "--manifest", &self.path("manifest.json")])
            .args(["--ohttp-key", &self.path("key"), "--out", &self.path("out")])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let line = lines.map(Result::unwrap).find(|line| line.starts_with("listening: ")).unwrap();
        self.running = Some(child);
        line.split('/').nth(2).unwrap().to_owned()
    }

    fn kill(&mut self) {
        if let Some(mut child) = self.running.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

impl Drop for Desk {
    fn drop(&mut self) {
        self.kill();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// Status, content.
fn request(address: &str, method: &str, path: &str, content: &[u8]) -> (u16, Vec<u8>) {
    let mut stream = TcpStream::connect(address).unwrap();
    write!(stream, "{method} {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {}\r\n\r\n", content.len())
        .unwrap();
    // A request that is too long may be answered before it is sent whole.
    let _ = stream.write_all(content);
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n").unwrap();
    let head = String::from_utf8(answer[..end].to_vec()).unwrap();
    assert!(head.to_lowercase().contains("access-control-allow-origin: *"), "{head}");
    (head.split(' ').nth(1).unwrap().parse().unwrap(), answer[end + 4..].to_vec())
}

/// A body through the gateway: status and code of what stands inside.
fn sealed(address: &str, content: &[u8]) -> (u16, String) {
    let (status, keys) = request(address, "GET", "/ohttp-keys", &[]);
    assert_eq!(status, 200);
    let mut message = Message::request(b"POST".into(), b"https".into(), b"collector.example".into(), b"/records".into());
    message.write_content(content);
    let mut bytes = Vec::new();
    message.write_bhttp(Mode::KnownLength, &mut bytes).unwrap();
    bytes.resize(256, 0);
    let (request_bytes, answer) = ClientRequest::from_encoded_config_list(&keys).unwrap().encapsulate(&bytes).unwrap();
    assert!(request_bytes.len() <= 320);
    let (status, answered) = request(address, "POST", "/gateway", &request_bytes);
    assert_eq!(status, 200);
    let answered = Message::read_bhttp(&mut Cursor::new(answer.decapsulate(&answered).unwrap())).unwrap();
    (answered.control().status().unwrap().code(), String::from_utf8(answered.content().to_vec()).unwrap())
}

#[test]
fn records_come_over_http_and_through_the_gateway_and_are_there_after_a_kill() {
    let mut desk = Desk::new("http");
    let address = desk.listen();
    let [first, second, stale] = [desk.body(1, EPOCH), desk.body(2, EPOCH), desk.body(3, EPOCH - 4)];
    assert_eq!(request(&address, "POST", "/records", &first.bytes()), (204, Vec::new()));
    assert_eq!(request(&address, "POST", "/records", &first.bytes()), (204, Vec::new()));
    assert_eq!(request(&address, "POST", "/records", &stale.bytes()), (400, b"epoch_stale".to_vec()));
    assert_eq!(request(&address, "POST", "/records", &first.bytes()[..SHORT_BYTES]), (400, b"bad_length".to_vec()));
    assert_eq!(request(&address, "POST", "/records", &[0; 5_000]).0, 413);
    assert_eq!(request(&address, "GET", "/records", &[]).0, 405);
    assert_eq!(request(&address, "OPTIONS", "/records", &[]).0, 204);
    assert_eq!(request(&address, "GET", "/", &[]).0, 404);
    assert_eq!(sealed(&address, &second.bytes()[..SHORT_BYTES]), (204, String::new()));
    assert_eq!(sealed(&address, &stale.bytes()[..SHORT_BYTES]), (400, "epoch_stale".to_owned()));
    assert_eq!(request(&address, "POST", "/gateway", &[1; 311]), (400, b"not_for_this_key".to_vec()));
    let address = {
        desk.kill();
        desk.listen()
    };
    assert_eq!(request(&address, "POST", "/records", &second.bytes()), (204, Vec::new()));
    desk.kill();
    let report: serde_json::Value =
        serde_json::from_str(&std::fs::read_to_string(desk.folder.join("out/report.json")).unwrap()).unwrap();
    let refused = serde_json::json!({"bad_length": 1, "epoch_stale": 2});
    assert_eq!(
        (&report["taken"], &report["repeated"], &report["waiting"], &report["refused"]),
        (&2.into(), &2.into(), &2.into(), &refused)
    );
}

#[test]
fn files_of_bodies_are_taken_released_and_estimated() {
    let desk = Desk::new("files");
    let bodies: Vec<u8> = (0..6_000).flat_map(|number| desk.body(number, EPOCH).bytes()).collect();
    std::fs::write(desk.path("bodies"), &bodies).unwrap();
    let (manifest, out, file) = (desk.path("manifest.json"), desk.path("out"), desk.path("bodies"));
    let collect =
        |more: &[&str]| ears_lab(&[&["collect", "--manifest", &manifest, "--out", &out, "--epoch", "50"], more].concat());
    let (code, told, errors) = collect(&["--bodies", &file, "--finish"]);
    assert_eq!((code, errors.as_str()), (0, ""));
    assert_eq!(told, "epoch 50: 6000 taken, 0 repeated, 0 waiting, 6000 released in 2 cells, 0 dropped in 0 cells\n");
    let released = desk.path("out/probes-000001.parquet");
    let (code, told, errors) = ears_lab(&["estimate-probes", "--manifest", &manifest, &released]);
    assert_eq!((code, errors.as_str()), (0, ""));
    assert!(told.contains("probe 0 (policy), played_30s") && told.contains("next") && told.contains("over the first"), "{told}");
    let (_, json, _) = ears_lab(&["estimate-probes", "--manifest", &manifest, &released, "--json", "-"]);
    let report: serde_json::Value = serde_json::from_str(&json).unwrap();
    let lift = report["lines"].as_array().unwrap().iter().find(|line| line["what"] == "over the first").unwrap();
    // 0.6 against 0.3, six standard errors.
    let (value, error) = (lift["value"].as_f64().unwrap(), lift["standard_error"].as_f64().unwrap());
    assert!((value - 0.3).abs() < 6.0 * error && error < 0.04, "{lift}");
    // What cannot be used is said, with exit code 64; a body that is refused, with 1.
    std::fs::write(desk.path("cut"), &bodies[..300]).unwrap();
    let (code, _, errors) = collect(&["--bodies", &desk.path("cut")]);
    assert!(code == 64 && errors.contains("expected bodies of 256 bytes each, found 300 bytes"), "{errors}");
    let (code, told, _) = ears_lab(&["collect", "--manifest", &manifest, "--out", &out, "--epoch", "59", "--bodies", &file]);
    assert!(code == 1 && told.contains("refused, epoch_stale: 6000"), "{told}");
    assert_eq!(collect(&[]).0, 64);
    std::fs::write(desk.path("other.json"), MANIFEST.replace("demo-1", "demo-2")).unwrap();
    let (code, _, errors) = ears_lab(&["estimate-probes", "--manifest", &desk.path("other.json"), &released]);
    assert!(code == 64 && errors.contains("in row 1") && errors.contains("unknown_manifest"), "{errors}");
}
