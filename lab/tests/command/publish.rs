//! `keygen`, `sign` and `publish` from a shell: two root keys, a release, a canary, the way back, a lost key.

use std::path::PathBuf;

use crate::ears_lab;

/// A folder that goes away with the test.
struct Desk(PathBuf);

impl Desk {
    fn new() -> Self {
        let path = std::env::temp_dir().join(format!("ears-lab-publish-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir_all(path.join("site")).unwrap();
        Self(path)
    }

    /// Runs a line; words with a slash in front name files of the desk.
    fn run(&self, line: &str) -> (i32, String, String) {
        let path =
            |word: &str| word.strip_prefix('/').map_or(word.to_owned(), |name| self.0.join(name).to_string_lossy().into_owned());
        let words: Vec<String> = line.split_whitespace().map(path).collect();
        ears_lab(&words.iter().map(String::as_str).collect::<Vec<_>>())
    }

    fn good(&self, line: &str) -> String {
        let (code, out, errors) = self.run(line);
        assert_eq!((code, errors.as_str()), (0, ""), "{line}: {out}");
        out
    }

    fn refused(&self, line: &str, expected: &str) {
        let (code, out, errors) = self.run(line);
        assert_eq!((code, out.as_str()), (64, ""), "{line}");
        assert!(errors.contains(expected), "{line}: {errors}");
    }
}

impl Drop for Desk {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[test]
fn from_keys_to_the_way_back() {
    let desk = Desk::new();
    for name in ["root-1", "root-2", "bundle", "channel", "channel-2"] {
        let told = desk.good(&format!("keygen /{name}.pem"));
        assert!(told.contains("public key "), "{told}");
    }
    desk.refused("keygen /root-1.pem", "expected a new file");

    let told = desk.good(
        "publish root /site --root-key /root-1.pem.pub --root-key /root-2.pem.pub --root-threshold 2 --bundle-key /bundle.pem.pub \
         --channel-key /channel.pem.pub --sign /root-1.pem --at 1000",
    );
    assert!(told.contains("waits for signatures"), "{told}");
    desk.refused("publish root /site --finish", "expected 2 signatures of the root keys in root 1, found 1");
    desk.good("sign /site/1.root.json --key /root-2.pem");
    assert_eq!(desk.good("publish root /site --finish"), "root 1 is active\n");

    for (at, name) in [(1001, "one"), (1002, "two")] {
        let draft = ears_lab::bundle::Draft { version: name.to_owned(), ..ears_lab::bundle::example::example("trees").unwrap() };
        std::fs::write(desk.0.join(name), draft.write().unwrap()).unwrap();
        let told = desk.good(&format!(
            "publish bundle /site /{name} --bundle-key /bundle.pem --channel-key /channel.pem --rollout 50 --at {at}"
        ));
        assert!(told.starts_with(&format!("channel stable: sequence {}, rollout 50 of 1000\n", at - 1000)), "{told}");
    }
    assert!(desk.good("publish channel /site --channel-key /channel.pem --rollout 1000 --at 1003").contains("rollout 1000"));
    let told = desk.good("publish rollback /site --to 1 --bundle-key /bundle.pem --channel-key /channel.pem --at 1004");
    assert!(told.starts_with("channel stable: sequence 3,"), "{told}");
    let told = desk.good("publish channel /site --channel-key /channel.pem --min-sequence 4 --at 1005");
    assert!(told.contains("smallest sequence 4"), "{told}");

    let told = desk.good("publish root /site --channel-key /channel-2.pem.pub --sign /root-1.pem --sign /root-2.pem --at 1006");
    assert!(told.contains("2.root.json: active"), "{told}");
    desk.refused("publish channel /site --channel-key /channel.pem --at 1007", "channel keys in root 2, found 0");
    desk.good("publish channel /site --channel-key /channel-2.pem --at 1007");

    desk.refused("publish bundle /site /none --bundle-key /bundle.pem --channel-key /channel-2.pem", "a readable bundle");
    desk.refused("publish channel /nowhere --channel-key /channel-2.pem", "expected a folder");
    desk.refused("publish channel /site", "--channel-key");
    desk.refused("sign /one --key /root-1.pem", "a signed file");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        std::fs::set_permissions(desk.0.join("root-1.pem"), std::fs::Permissions::from_mode(0o644)).unwrap();
        desk.refused("sign /site/2.root.json --key /root-1.pem", "others may get at it");
    }
}
