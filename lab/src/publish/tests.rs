#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on should stop")]

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::payload::DAY_MS;
use super::*;

/// 2026-11-23, 12:00 UTC.
const AT: u64 = 1_795_435_200_000;

/// A folder that goes away with the test.
struct Site(PathBuf);

impl Site {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("ears-publish-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn folder(&self) -> Folder {
        Folder::open(&self.0).unwrap()
    }

    fn names(&self) -> Vec<String> {
        let mut names: Vec<String> =
            fs::read_dir(&self.0).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    fn payload(&self, name: &str) -> String {
        let envelope: serde_json::Value = serde_json::from_slice(&fs::read(self.0.join(name)).unwrap()).unwrap();
        String::from_utf8(STANDARD.decode(envelope["payload"].as_str().unwrap()).unwrap()).unwrap()
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn key(seed: u8) -> PrivateKey {
    PrivateKey::from_seed(&[seed; 32])
}

fn publics<const N: usize>(seeds: [u8; N]) -> Vec<PublicKey> {
    seeds.into_iter().map(|seed| key(seed).public()).collect()
}

fn first_root(site: &Site) {
    let new = NewRoot {
        keys: [publics([1, 2, 3]), publics([4]), publics([5])],
        thresholds: [Some(2), None, None],
        days: ROOT_DAYS,
        at: AT,
    };
    let (_, active) = site.folder().new_root(new, &[key(1), key(2)]).unwrap();
    assert!(active);
}

fn publish_keys() -> PublishKeys {
    PublishKeys { bundle: vec![key(4)], channel: vec![key(5)] }
}

fn offer(at: u64) -> Offer {
    Offer { rollout_permille: None, min_sequence: None, days: CHANNEL_DAYS, at }
}

fn draft(version: &str) -> bundle::Draft {
    bundle::Draft { version: version.to_owned(), ..bundle::example::example("linear").unwrap() }
}

fn bundle(version: &str) -> Vec<u8> {
    draft(version).write().unwrap()
}

fn publish(site: &Site, text: &str, offer: &Offer) -> Release {
    site.folder().publish("stable", &bundle(text), &publish_keys(), offer, BUNDLE_DAYS).unwrap()
}

#[test]
fn keys_are_those_of_rfc_8032() {
    // Section 7.1, test 1.
    let seed = "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60";
    let bytes: Vec<u8> = (0..32).map(|at| u8::from_str_radix(&seed[2 * at..2 * at + 2], 16).unwrap()).collect();
    let key = PrivateKey::from_seed(&bytes.try_into().unwrap());
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    assert_eq!(hex(key.public().bytes()), "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a");
    let signature = key.sign(b"");
    assert!(hex(&signature).starts_with("e5564300c360ac729086e2cc806e828a"));
    assert!(key.public().verifies(b"", &signature));
    assert!(!key.public().verifies(b"x", &signature));
    assert_eq!(PublicKey::from_bytes(&[0; 31]), None);
    let small_order = [&[1][..], &[0; 31]].concat();
    assert_eq!(PublicKey::from_bytes(&small_order), None);
}

#[test]
fn key_files_come_back_and_are_nobody_elses() {
    let site = Site::new("keys");
    let path = site.0.join("release.pem");
    let public = key(7).write(&path).unwrap();
    assert_eq!(PrivateKey::read(&path).unwrap().public(), key(7).public());
    assert_eq!(PublicKey::read(&public).unwrap(), key(7).public());
    assert_eq!(PublicKey::read(&path).unwrap(), key(7).public());
    assert!(key(8).write(&path).is_err(), "a key is never replaced");
    assert!(PrivateKey::read(&public).is_err());
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        for mode in [0o644, 0o640, 0o604, 0o660] {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            let refused = PrivateKey::read(&path).err().unwrap().to_string();
            assert!(refused.contains(&format!("found mode {mode:o}")), "{refused}");
        }
    }
}

#[test]
fn the_same_call_writes_the_same_bytes() {
    let files = |name: &str| {
        let site = Site::new(name);
        first_root(&site);
        publish(&site, "one", &offer(AT + 1));
        publish(&site, "two", &Offer { rollout_permille: Some(50), min_sequence: Some(1), ..offer(AT + 2) });
        site.names().into_iter().map(|name| (fs::read(site.0.join(&name)).unwrap(), name)).collect::<Vec<_>>()
    };
    let first = files("same-1");
    assert_eq!(first, files("same-2"));
    assert_eq!(first.len(), 7);
}

#[test]
fn files_say_what_was_asked() {
    let site = Site::new("says");
    first_root(&site);
    let one = publish(&site, "one", &offer(AT));
    assert_eq!(one.sequence, 1);
    let sha = &one.sha256;
    let size = one.size;
    assert_eq!((sha256_hex(&bundle("one")), bundle("one").len() as u64), (sha.clone(), size));
    assert_eq!(
        site.payload("channel-stable.json"),
        format!(
            r#"{{"channel":"stable","created":{AT},"expires":{},"format":1,"minSequence":0,"rolloutPermille":1000,"sequence":1,"sha256":"{sha}","size":{size}}}"#,
            AT + 7 * DAY_MS
        )
    );
    assert_eq!(
        site.payload(&format!("{sha}.stable-1.sig.json")),
        format!(
            r#"{{"channel":"stable","created":{AT},"expires":{},"format":1,"sequence":1,"sha256":"{sha}","size":{size}}}"#,
            AT + 180 * DAY_MS
        )
    );
    assert!(
        site.payload("root.json")
            .starts_with(&format!(r#"{{"created":{AT},"expires":{},"format":1,"keys":{{"#, AT + 365 * DAY_MS))
    );
    assert_eq!(site.names().len(), 5);
}

#[test]
fn a_canary_leaves_the_others_what_everybody_could_take() {
    let site = Site::new("canary");
    first_root(&site);
    let one = publish(&site, "one", &offer(AT));
    let at = |ms: u64, permille: u16| Offer { rollout_permille: Some(permille), ..offer(AT + ms) };
    publish(&site, "two", &at(1, 50));
    let three = publish(&site, "three", &at(2, 10));
    let channel = || {
        let folder = site.folder();
        folder.channel(&folder.root().unwrap().unwrap(), "stable").unwrap().unwrap()
    };
    assert_eq!(channel().others, Some(one.clone()));
    site.folder().renew("stable", &[key(5)], &at(3, 500)).unwrap();
    assert_eq!((channel().others, channel().rollout_permille), (Some(one), 500));
    // The kill switch does not offer what it kills.
    site.folder().renew("stable", &[key(5)], &Offer { min_sequence: Some(2), ..offer(AT + 4) }).unwrap();
    assert_eq!((channel().others, channel().rollout_permille, channel().min_sequence), (None, 500, 2));
    publish(&site, "four", &offer(AT + 5));
    publish(&site, "five", &at(6, 1));
    assert_eq!(channel().others.unwrap().sequence, 4);
    assert_eq!(channel().min_sequence, 2);
    // Back to three, as the sixth.
    let back = site.folder().roll_back("stable", 3, &publish_keys(), &offer(AT + 7), BUNDLE_DAYS).unwrap();
    assert_eq!(back, Release { sequence: 6, ..three });
}

#[test]
fn what_a_bundle_says_of_itself_counts() {
    let site = Site::new("itself");
    first_root(&site);
    let bytes = bundle::Draft { sequence: 7, expires_ms: Some(AT + DAY_MS), ..draft("seven") }.write().unwrap();
    let release = site.folder().publish("stable", &bytes, &publish_keys(), &offer(AT), BUNDLE_DAYS).unwrap();
    assert_eq!(release.sequence, 7);
    let statement = site.payload(&format!("{}.stable-7.sig.json", release.sha256));
    assert!(statement.contains(&format!(r#""expires":{},"#, AT + DAY_MS)), "{statement}");
    assert_eq!(publish(&site, "one", &offer(AT + 1)).sequence, 8);
}

#[test]
fn roots_follow_each_other_and_sequences_go_on() {
    let site = Site::new("roots");
    first_root(&site);
    publish(&site, "one", &offer(AT));
    let folder = site.folder();
    // Other root keys and another channel key; signed by two of the old ones only.
    let new =
        NewRoot { keys: [publics([6, 7]), vec![], publics([8])], thresholds: [Some(2), None, None], days: ROOT_DAYS, at: AT };
    let (path, active) = folder.new_root(new, &[key(1), key(2)]).unwrap();
    assert!(!active);
    assert_eq!(folder.root().unwrap().unwrap().version, 1);
    assert_eq!(folder.waiting_root().unwrap(), Some(2));
    let missing = folder.activate(2).unwrap().unwrap().to_string();
    assert!(missing.contains("expected 2 signatures of the root keys in root 2, found 0"), "{missing}");
    sign(&path, &[key(6)]).unwrap();
    sign(&path, &[key(6), key(7)]).unwrap();
    assert_eq!(folder.activate(2).unwrap(), None);
    assert_eq!(folder.root().unwrap().unwrap().version, 2);
    assert!(folder.activate(2).is_err(), "it is active already");
    assert_eq!(folder.waiting_root().unwrap(), None);
    // The old channel key is of no use any more; with the new one the sequence goes on.
    let old = folder.publish("stable", &bundle("two"), &publish_keys(), &offer(AT + 1), BUNDLE_DAYS);
    assert!(old.unwrap_err().to_string().contains("signatures of the channel keys in root 2, found 0"));
    let keys = PublishKeys { bundle: vec![key(4)], channel: vec![key(8)] };
    assert_eq!(folder.publish("stable", &bundle("two"), &keys, &offer(AT + 1), BUNDLE_DAYS).unwrap().sequence, 2);
}

#[test]
fn what_devices_would_refuse_is_not_published() {
    let site = Site::new("refused");
    let folder = site.folder();
    let publish = |channel: &str, bytes: &[u8], keys: &PublishKeys, offer: &Offer| {
        folder
            .publish(channel, bytes, keys, offer, BUNDLE_DAYS)
            .err()
            .map_or_else(|| "published".to_owned(), |error| error.to_string())
    };
    let good = bundle("one");
    let expired = bundle::Draft { expires_ms: Some(AT), ..draft("old") }.write().unwrap();
    let far = bundle::Draft { sequence: MAX_STEP + 1, ..draft("far") }.write().unwrap();
    assert!(publish("stable", &good, &publish_keys(), &offer(AT)).contains("expected a root"));
    first_root(&site);
    for (channel, bytes, seeds, offer, expected) in [
        ("Stable", &good[..], [4, 5], offer(AT), "expected a channel of small letters"),
        ("", &good, [4, 5], offer(AT), "expected a channel of small letters"),
        ("../x", &good, [4, 5], offer(AT), "expected a channel of small letters"),
        ("stable", b"PK", [4, 5], offer(AT), "that start with EARSBNDL, got 2 bytes"),
        ("stable", &good[..good.len() - 1], [4, 5], offer(AT), "expected the checksum of the bytes before it"),
        ("stable", &expired, [4, 5], offer(AT), "expected a bundle that has not expired"),
        ("stable", &far, [4, 5], offer(AT), "expected a sequence of at most 1000000, got 1000001"),
        ("stable", &good, [5, 5], offer(AT), "signatures of the bundle keys in root 1, found 0"),
        ("stable", &good, [4, 4], offer(AT), "signatures of the channel keys in root 1, found 0"),
        ("stable", &good, [4, 5], offer(AT + 366 * DAY_MS), "a root that is valid"),
        ("stable", &good, [4, 5], Offer { rollout_permille: Some(1001), ..offer(AT) }, "at most 1000 thousandths"),
        ("stable", &good, [4, 5], Offer { min_sequence: Some(3), ..offer(AT) }, "smallest sequence of at most 2"),
    ] {
        let keys = PublishKeys { bundle: vec![key(seeds[0])], channel: vec![key(seeds[1])] };
        let refused = publish(channel, bytes, &keys, &offer);
        assert!(refused.contains(expected), "{refused}");
    }
    assert_eq!(site.names(), ["1.root.json", "root.json"], "and leaves nothing behind");
    assert_eq!(publish("stable", &good, &publish_keys(), &offer(AT)), "published");
    assert!(publish("stable", &good, &publish_keys(), &offer(AT)).contains("devices take the later of two"));
    assert!(folder.roll_back("stable", 9, &publish_keys(), &offer(AT + 1), BUNDLE_DAYS).is_err());
    assert!(folder.renew("beta", &[key(5)], &offer(AT + 1)).is_err());
}

#[test]
fn broken_folders_are_named() {
    let site = Site::new("broken");
    first_root(&site);
    publish(&site, "one", &offer(AT));
    let again = |name: &str, text: &str| {
        let path = site.0.join(name);
        let before = fs::read(&path).unwrap();
        fs::write(&path, text).unwrap();
        let refused = site.folder().publish("stable", &bundle("two"), &publish_keys(), &offer(AT + 1), BUNDLE_DAYS).unwrap_err();
        fs::write(&path, before).unwrap();
        refused.to_string()
    };
    for name in ["root.json", "channel-stable.json"] {
        for text in ["", "{}", "[]", r#"{"payload":"!","payloadType":"x","signatures":[]}"#, &"x".repeat(70_000)] {
            assert!(again(name, text).contains(name), "{name} {text}");
        }
    }
    let channel = fs::read_to_string(site.0.join("channel-stable.json")).unwrap();
    assert!(again("root.json", &channel).contains("root+json"));
    let path = site.0.join(format!("{}.bundle", sha256_hex(&bundle("one"))));
    fs::write(&path, bundle("other")).unwrap();
    let refused = site.folder().roll_back("stable", 1, &publish_keys(), &offer(AT + 1), BUNDLE_DAYS).unwrap_err();
    assert!(refused.to_string().contains("with the SHA-256 of its name"));
}

#[test]
fn a_root_keeps_its_own_rules() {
    let site = Site::new("rules");
    let make = |keys: [Vec<PublicKey>; 3], threshold: usize| {
        let new = NewRoot { keys, thresholds: [Some(threshold), None, None], days: 1, at: AT };
        site.folder().new_root(new, &[key(1)]).map(|(_, active)| active).map_err(|error| error.to_string())
    };
    assert!(make([publics([1]), vec![], publics([3])], 1).unwrap_err().contains("threshold of the bundle role"));
    assert!(make([publics([1]), publics([2]), publics([3])], 0).unwrap_err().contains("from 1 to its 1 keys, found 0"));
    assert!(make([publics([1]), publics([2]), publics([3])], 2).unwrap_err().contains("found 2"));
    let many = (0..65).map(|seed| key(seed).public()).collect();
    assert!(make([many, publics([2]), publics([3])], 1).unwrap_err().contains("at most 64 keys"));
    // One key named twice is one key.
    assert!(make([publics([1, 1]), publics([2]), publics([3])], 2).unwrap_err().contains("from 1 to its 1 keys"));
    assert!(make([publics([1]), publics([2]), publics([3])], 1).unwrap());
}
