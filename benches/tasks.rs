//! What a task costs beside its work: trivial tasks, end to end, in nanoseconds a task.
//!
//! `cargo bench --bench tasks`

use partita::config::Tuning;
use partita::error::Result;
use partita::events::Events;
use partita::graph::{Fixed, Graph};
use partita::memory::Memory;
use partita::ops::{Cx, Step, Task, Work};
use partita::run::{Engine, InlinePool, Pool, Probe, RayonPool, Setup};
use partita::store::Scratch;
use std::sync::Arc;
use std::time::Instant;

const TASKS: usize = 100_000;

struct Trivial;

impl Work for Trivial {
    fn open(&self, _round: u32, _index: usize, _cx: &Cx) -> Result<Box<dyn Task>> {
        Ok(Box::new(Trivial))
    }
}

impl Task for Trivial {
    fn step(&mut self, _cx: &Cx) -> Result<Step> {
        Ok(Step::Done)
    }
}

fn engine(pool: Arc<dyn Pool>, threads: usize) -> Result<Engine> {
    Ok(Engine::new(Setup {
        threads,
        pool,
        memory: Memory::new(1 << 30, 1 << 18),
        scratch: Scratch::new(vec![], None, 1 << 20)?,
        tuning: Arc::new(Tuning::default()),
        events: Events::default(),
        probe: Probe::off(),
        story: None,
    }))
}

/// `stages` stages with equal shares of the tasks: all independent, or each after the one before.
fn graph(stages: usize, chained: bool) -> Graph {
    let mut graph = Graph::default();
    let mut before = None;
    for n in 0..stages {
        let after = if chained { before.into_iter().collect() } else { Vec::new() };
        before = Some(graph.add(format!("stage {n}"), after, Arc::new(Fixed { tasks: TASKS / stages, floor: 1 })));
    }
    graph
}

fn main() -> Result<()> {
    let threads = std::thread::available_parallelism().map_or(2, |n| n.get());
    let pools: [(&str, Arc<dyn Pool>, usize); 3] = [
        ("inline", Arc::new(InlinePool::new()), 1),
        ("rayon", Arc::new(RayonPool::new(1)?), 1),
        ("rayon", Arc::new(RayonPool::new(threads)?), threads),
    ];
    println!("{:<8}{:>8}{:>8}  {:<12}{:>12}", "pool", "threads", "stages", "shape", "ns a task");
    for (name, pool, threads) in pools {
        for (stages, chained) in [(1, false), (1000, false), (1000, true)] {
            let engine = engine(pool.clone(), threads)?;
            let graph = graph(stages, chained);
            let work = (0..stages).map(|_| Arc::new(Trivial) as Arc<dyn Work>).collect();
            let begun = Instant::now();
            engine.submit(graph, work, Box::new(|_| {})).wait()?;
            let nanos = begun.elapsed().as_nanos() / TASKS as u128;
            let shape = if chained { "chain" } else { "independent" };
            println!("{name:<8}{threads:>8}{stages:>8}  {shape:<12}{nanos:>12}");
        }
    }
    Ok(())
}
