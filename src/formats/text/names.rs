//! Names of columns that files give, made different from each other.

/// The names, those that are there twice with a number: `a`, `a` becomes `a`, `a_1`.
pub(in crate::formats) fn unique(mut names: Vec<String>) -> Vec<String> {
    let mut seen = std::collections::HashSet::new();
    for name in &mut names {
        let plain = name.clone();
        let mut n = 0;
        while !seen.insert(name.clone()) {
            n += 1;
            *name = format!("{plain}_{n}");
        }
    }
    names
}
