//! `--stats`: what the queries cost, on standard error.

use partita::frame::SessionStats;
use partita::units::ByteSize;
use std::fmt::Write;
use std::time::Duration;

/// The lines for a session that took `time` and put out `rows` rows.
pub fn describe(stats: &SessionStats, time: Duration, rows: u64) -> String {
    let scratch = |bytes: u64| ByteSize(usize::try_from(bytes).unwrap_or(usize::MAX));
    let passes = match stats.scratch_passes {
        0 | 1 => String::new(),
        passes => format!(" in {passes} passes"),
    };
    let lines = [
        ("time", format!("{:.3} s", time.as_secs_f64())),
        ("rows", rows.to_string()),
        ("budget", ByteSize(stats.budget).to_string()),
        ("peak", format!("{} by account", ByteSize(stats.peak_account))),
        ("", format!("{} of real anonymous memory", ByteSize(stats.peak_anonymous))),
        (
            "spilled",
            format!("{}{passes}, at most {} at one time", scratch(stats.scratch_written), scratch(stats.scratch_peak)),
        ),
    ];
    let mut text = String::new();
    for (name, value) in lines {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{name:8}{value}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use partita::units::MIB;

    #[test]
    fn names_every_cost() {
        let stats = SessionStats {
            budget: 64 * MIB,
            peak_account: 30 * MIB,
            peak_anonymous: 40 * MIB,
            ..SessionStats::default()
        };
        let text = "\
time    1.500 s
rows    12
budget  64.0 MiB
peak    30.0 MiB by account
        40.0 MiB of real anonymous memory
spilled 0 B, at most 0 B at one time
";
        assert_eq!(describe(&stats, Duration::from_millis(1500), 12), text);
        let spilled = SessionStats { scratch_written: 2 << 20, scratch_peak: 1 << 20, scratch_passes: 2, ..stats };
        let text = describe(&spilled, Duration::ZERO, 0);
        assert!(text.contains("spilled 2.0 MiB in 2 passes, at most 1.0 MiB at one time"), "{text}");
    }
}
