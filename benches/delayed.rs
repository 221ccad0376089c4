//! What a delayed call costs beside its function: making the graph and running it, in nanoseconds a task.
//!
//! `cargo bench --bench delayed`

use partita::prelude::*;
use std::time::Instant;

const TASKS: u64 = 100_000;

/// Each call needs the one before.
fn chain() -> Delayed<u64> {
    let inc = delayed(|n: u64| n + 1);
    (1..TASKS).fold(inc.call(0u64), |last, _| inc.call(last))
}

/// One call needs all others.
fn wide() -> Delayed<u64> {
    let inc = delayed(|n: u64| n + 1);
    let leaves: Vec<Delayed<u64>> = (1..TASKS).map(|n| inc.call(n)).collect();
    delayed(|all: &[u64]| all.iter().sum::<u64>()).call(leaves)
}

/// A tree of sums of two.
fn tree() -> Delayed<u64> {
    let (leaf, add) = (delayed(|n: u64| n), delayed(|a: u64, b: u64| a + b));
    let mut level: Vec<Delayed<u64>> = (0..TASKS / 2).map(|n| leaf.call(n)).collect();
    while level.len() > 1 {
        let pairs = level.chunks(2);
        level = pairs.map(|pair| if let [a, b] = pair { add.call((a, b)) } else { pair[0].clone() }).collect();
    }
    level.swap_remove(0)
}

/// A tree whose results own memory, so that their size must be measured.
fn texts() -> Delayed<String> {
    let (leaf, longer) = (
        delayed(|n: u64| n.to_string()),
        delayed(|a: String, b: &String| if a.len() > b.len() { a } else { b.clone() }),
    );
    let mut level: Vec<Delayed<String>> = (0..TASKS / 2).map(|n| leaf.call(n)).collect();
    while level.len() > 1 {
        let pairs = level.chunks(2);
        level = pairs.map(|pair| if let [a, b] = pair { longer.call((a, b)) } else { pair[0].clone() }).collect();
    }
    level.swap_remove(0)
}

fn measure<T: Clone + Send + Sync + 'static>(
    session: &Session,
    shape: &str,
    threads: usize,
    make: fn() -> Delayed<T>,
) -> Result<()> {
    let begun = Instant::now();
    let call = make();
    let made = begun.elapsed();
    let begun = Instant::now();
    call.compute(session)?;
    let run = begun.elapsed();
    let each = |time: std::time::Duration| time.as_nanos() / u128::from(TASKS);
    println!("{shape:<8}{threads:>8}{:>14}{:>14}", each(made), each(run));
    Ok(())
}

fn main() -> Result<()> {
    let most = std::thread::available_parallelism().map_or(2, |n| n.get());
    println!("{:<8}{:>8}{:>14}{:>14}", "shape", "threads", "ns to make", "ns to run");
    for threads in [1, most] {
        let session = Session::builder().memory("256MiB")?.threads(threads).build()?;
        measure(&session, "chain", threads, chain)?;
        measure(&session, "wide", threads, wide)?;
        measure(&session, "tree", threads, tree)?;
        measure(&session, "texts", threads, texts)?;
        let begun = Instant::now();
        let futures = session.map(|n: u64| n + 1, 0..TASKS / 10);
        session.gather(&futures)?;
        println!("{:<8}{threads:>8}{:>14}{:>14}", "futures", "-", begun.elapsed().as_nanos() / u128::from(TASKS / 10));
    }
    Ok(())
}
