//! The commands of README.md print what it says they print, and the files it names are there.

mod console;

use std::path::Path;

#[test]
fn the_readme_is_true() {
    console::check("README.md");
}

#[test]
fn links_lead_somewhere() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for document in ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "docs/cli.md"] {
        let text = std::fs::read_to_string(root.join(document)).unwrap();
        let here = root.join(document);
        let targets = text.split("](").skip(1).filter_map(|rest| rest.split(')').next());
        for target in targets.filter(|t| !t.contains("://") && !t.starts_with('#')) {
            let file = target.split('#').next().unwrap();
            assert!(here.parent().unwrap().join(file).exists(), "{document}: {target}");
        }
    }
}
