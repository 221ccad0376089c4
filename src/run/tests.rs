//! Fake works on both pools.

use super::*;
use crate::config::Tuning;
use crate::error::{Error, ErrorKind, Result};
use crate::events::Events;
use crate::graph::{Facts, Fixed, Graph, Layout, PartSize, Round, Sizes};
use crate::ids::{QueryId, ReservationId, StageId, TaskId, Token};
use crate::memory::{Memory, Reservation};
use crate::ops::{Cx, Starved, Step, Task, Work};
use crate::sched::story::replay;
use crate::store::Scratch;
use crate::wake::Waker;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex, mpsc};

type OpenFn = dyn Fn(u32, usize, &Cx) -> Result<Box<dyn Task>> + Send + Sync;
type SpillFn = dyn Fn(usize) -> usize + Send + Sync;

/// A work made of closures.
struct Fake {
    open: Box<OpenFn>,
    sizes: Sizes,
    spill: Box<SpillFn>,
}

impl Work for Fake {
    fn open(&self, round: u32, index: usize, cx: &Cx) -> Result<Box<dyn Task>> {
        (self.open)(round, index, cx)
    }

    fn sizes(&self) -> Sizes {
        self.sizes.clone()
    }

    fn spill(&self, bytes: usize, _cx: &Cx) -> Result<usize> {
        Ok((self.spill)(bytes))
    }
}

struct Steps<F>(F);

impl<F: FnMut(&Cx) -> Result<Step> + Send> Task for Steps<F> {
    fn step(&mut self, cx: &Cx) -> Result<Step> {
        (self.0)(cx)
    }
}

fn task(step: impl FnMut(&Cx) -> Result<Step> + Send + 'static) -> Result<Box<dyn Task>> {
    Ok(Box::new(Steps(step)))
}

fn work(open: impl Fn(u32, usize, &Cx) -> Result<Box<dyn Task>> + Send + Sync + 'static) -> Arc<dyn Work> {
    Arc::new(Fake { open: Box::new(open), sizes: Sizes::default(), spill: Box::new(|_| 0) })
}

/// One step a task.
fn once(run: impl Fn(u32, usize) -> Result<Step> + Send + Sync + 'static) -> Arc<dyn Work> {
    let run = Arc::new(run);
    work(move |round, index, _| {
        let run = run.clone();
        task(move |_| run(round, index))
    })
}

fn fixed(tasks: usize) -> Arc<dyn Layout> {
    Arc::new(Fixed { tasks, floor: 0 })
}

fn one_stage(tasks: usize) -> Graph {
    let mut graph = Graph::default();
    graph.add("scan", vec![], fixed(tasks));
    graph
}

/// An engine and the story that it tells.
struct Run {
    engine: Engine,
    story: Arc<Mutex<String>>,
}

impl Run {
    fn new(pool: Arc<dyn Pool>, threads: usize, memory: usize) -> Run {
        let story = Arc::new(Mutex::new(String::new()));
        let told = story.clone();
        let engine = Engine::new(Setup {
            threads,
            pool,
            memory: Memory::new(memory, 4096),
            scratch: Scratch::new(vec![], None, 1 << 20).unwrap(),
            tuning: Arc::new(Tuning::default()),
            events: Events::default(),
            probe: Probe::off(),
            story: Some(Box::new(move |line| {
                let mut told = told.lock().unwrap();
                told.push_str(line);
                told.push('\n');
            })),
        });
        Run { engine, story }
    }

    fn submit(&self, graph: Graph, work: Vec<Arc<dyn Work>>) -> QueryHandle {
        self.engine.submit(graph, work, Box::new(|_| {}))
    }
}

/// Runs `test` on both pools with one and with three threads; each story must replay.
fn on_all(memory: usize, test: impl Fn(&Run)) {
    for threads in [1, 3] {
        let pools: [Arc<dyn Pool>; 2] = [Arc::new(InlinePool::new()), Arc::new(RayonPool::new(threads).unwrap())];
        for pool in pools {
            let run = Run::new(pool, threads, memory);
            test(&run);
            let story = run.story.lock().unwrap().clone();
            replay(&story).unwrap_or_else(|e| panic!("{e}\n{story}"));
        }
    }
}

#[test]
fn stages_run_in_order_and_everything_is_dropped_before_the_end() {
    on_all(1 << 20, |run| {
        let log = Arc::new(Mutex::new(Vec::new()));
        let mut graph = Graph::default();
        let a = graph.add("a", vec![], fixed(20));
        let b = graph.add("b", vec![a], fixed(5));
        graph.add("c", vec![a, b], fixed(1));
        let works: Vec<Arc<dyn Work>> = (0..3)
            .map(|stage| {
                let log = log.clone();
                once(move |_, index| {
                    log.lock().unwrap().push((stage, index));
                    Ok(Step::Done)
                })
            })
            .collect();
        let (send, seen) = mpsc::channel();
        let held = Arc::downgrade(&log);
        let on_end = Box::new(move |result: Result<()>| send.send((result.is_ok(), held.strong_count())).unwrap());
        let handle = run.engine.submit(graph, works, on_end);
        handle.wait().unwrap();
        assert!(handle.is_done());
        assert_eq!(seen.recv().unwrap(), (true, 1), "only the test holds the log when the end is told");
        let mut log = log.lock().unwrap().clone();
        let stages: Vec<i32> = log.iter().map(|l| l.0).collect();
        assert!(stages.is_sorted());
        log.sort();
        log.dedup();
        assert_eq!(log.len(), 26);
    });
}

#[test]
fn a_layout_sees_sizes_and_rounds() {
    #[derive(Debug)]
    struct ByBytes;
    impl Layout for ByBytes {
        fn next(&self, facts: &Facts<'_>) -> Round {
            let bytes: u64 = facts.sizes.iter().map(Sizes::bytes).sum();
            let tasks = match facts.round {
                0 => bytes as usize,
                1 => bytes as usize * 2,
                _ => 0,
            };
            Round { tasks, floor: 0, why: format!("{bytes} bytes, {} threads", facts.threads) }
        }
    }
    on_all(1 << 20, |run| {
        let mut graph = Graph::default();
        let a = graph.add("a", vec![], fixed(1));
        graph.add("b", vec![a], Arc::new(ByBytes));
        let count = Arc::new(Mutex::new(Vec::new()));
        let sized = |bytes: u64, open: Box<OpenFn>| -> Arc<dyn Work> {
            let sizes = Sizes { parts: vec![PartSize { rows: 1, bytes, spilled: 0 }] };
            Arc::new(Fake { open, sizes, spill: Box::new(|_| 0) })
        };
        let counts = count.clone();
        let b = sized(
            2,
            Box::new(move |round, index, _| {
                counts.lock().unwrap().push((round, index));
                task(|_| Ok(Step::Done))
            }),
        );
        let handle = run.submit(graph, vec![sized(3, Box::new(|_, _, _| task(|_| Ok(Step::Done)))), b]);
        handle.wait().unwrap();
        let mut count = count.lock().unwrap().clone();
        count.sort();
        assert_eq!(count, [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2), (1, 3)]);
        let chosen = handle.chosen();
        assert_eq!(chosen.len(), 3);
        assert_eq!((chosen[0].tasks, chosen[1].tasks, chosen[2].tasks), (3, 4, 0));
        assert!(chosen[0].why.starts_with("3 bytes"));
    });
}

#[test]
fn the_first_error_ends_the_query_and_names_the_task() {
    on_all(1 << 20, |run| {
        let ran = Arc::new(AtomicUsize::new(0));
        let counted = ran.clone();
        let failing = once(move |_, index| {
            counted.fetch_add(1, SeqCst);
            if index == 2 { Err(Error::data("bad record")) } else { Ok(Step::Done) }
        });
        let handle = run.submit(one_stage(1000), vec![failing]);
        let error = handle.wait().unwrap_err();
        assert_eq!((error.kind(), error.message()), (ErrorKind::Data, "bad record"));
        assert_eq!(error.place().task.as_deref(), Some("scan #2"));
        assert!(ran.load(SeqCst) < 1000);
        // The session goes on.
        run.submit(one_stage(3), vec![once(|_, _| Ok(Step::Done))]).wait().unwrap();
    });
}

#[test]
fn panics_become_errors_wherever_they_happen() {
    struct DropBomb;
    impl Drop for DropBomb {
        fn drop(&mut self) {
            panic!("in drop");
        }
    }
    #[derive(Debug)]
    struct Bad;
    impl Layout for Bad {
        fn next(&self, _: &Facts<'_>) -> Round {
            panic!("in layout")
        }
    }
    on_all(1 << 20, |run| {
        let check = |graph: Graph, work: Arc<dyn Work>, message: &str, place: &str| {
            let error = run.submit(graph, vec![work]).wait().unwrap_err();
            assert_eq!((error.kind(), error.message()), (ErrorKind::Internal, message));
            assert_eq!(error.place().task.as_deref(), Some(place));
        };
        let step = once(|_, index| if index == 1 { panic!("in step {index}") } else { Ok(Step::Done) });
        check(one_stage(2), step, "panicked: in step 1", "scan #1");
        check(one_stage(1), work(|_, _, _| panic!("in open")), "panicked: in open", "scan #0");
        let drops = work(|_, _, _| {
            let bomb = DropBomb;
            task(move |_| {
                let _ = &bomb;
                Ok(Step::Done)
            })
        });
        check(one_stage(1), drops, "panicked: in drop", "scan #0");
        let mut graph = Graph::default();
        graph.add("bad", vec![], Arc::new(Bad));
        check(graph, once(|_, _| Ok(Step::Done)), "panicked: in layout", "bad");
    });
}

#[test]
fn tasks_wait_and_are_woken_by_another_thread() {
    on_all(1 << 20, |run| {
        let (send, wakers) = mpsc::channel::<Waker>();
        let waking = std::thread::spawn(move || wakers.iter().for_each(|w| (0..2).for_each(|_| w.wake())));
        let send = Mutex::new(send);
        let waits = work(move |_, _, _| {
            let send = send.lock().unwrap().clone();
            let mut left = 5;
            task(move |cx| {
                if left == 0 {
                    return Ok(Step::Done);
                }
                left -= 1;
                let waker = cx.wakers.ticket();
                let token = waker.token();
                send.send(waker).unwrap();
                Ok(Step::Wait(token))
            })
        });
        run.submit(one_stage(40), vec![waits]).wait().unwrap();
        waking.join().unwrap();
    });
}

#[test]
fn cancel_drops_waiting_tasks_and_stops_running_ones() {
    on_all(1 << 20, |run| {
        let waits = work(|_, _, cx| {
            let token = cx.wakers.ticket().token();
            task(move |_| Ok(Step::Wait(token)))
        });
        let handle = run.submit(one_stage(7), vec![waits]);
        handle.cancel();
        assert_eq!(handle.wait().unwrap_err().kind(), ErrorKind::Cancelled);
        // A task that cancels its own query from inside, and would run for ever.
        let slot: Arc<Mutex<Option<QueryHandle>>> = Arc::default();
        let mine = slot.clone();
        let endless = once(move |_, _| {
            if let Some(handle) = mine.lock().unwrap().as_ref() {
                handle.cancel();
            }
            Ok(Step::More)
        });
        let handle = run.submit(one_stage(5), vec![endless]);
        *slot.lock().unwrap() = Some(handle.clone());
        assert_eq!(handle.wait().unwrap_err().kind(), ErrorKind::Cancelled);
        slot.lock().unwrap().take();
        // After the end a cancel changes nothing.
        let handle = run.submit(one_stage(1), vec![once(|_, _| Ok(Step::Done))]);
        handle.wait().unwrap();
        handle.cancel();
        assert!(handle.wait().is_ok());
    });
}

/// A task that takes in `goal` bytes, ten at a time, and writes out what it has when it is asked to: its floor is enough to
/// go on with.
fn grower(memory: &Memory, floor: usize, goal: usize) -> Result<Box<dyn Task>> {
    let state: Arc<Reservation> = memory.budget.require("state", floor, true)?;
    let (mut absorbed, mut used) = (0, 0);
    task(move |_| {
        if state.wanted() > 0 {
            state.take_wanted();
            let above = state.held().saturating_sub(floor);
            state.shrink(above);
            // What it wrote out of its floor it has for itself.
            let gave = std::mem::take(&mut used).max(above);
            if gave > 0 {
                return Ok(Step::Gave(gave));
            }
        }
        if absorbed >= goal {
            state.shrink(state.held());
            return Ok(Step::Done);
        }
        if used + 10 > state.held() && !state.try_grow(10) {
            return Ok(Step::Starved(Starved { reservation: state.id(), bytes: 10 }));
        }
        absorbed += 10;
        used += 10;
        Ok(Step::More)
    })
}

#[test]
fn a_tiny_budget_spills_and_suffices() {
    on_all(100, |run| {
        let mut graph = Graph::default();
        graph.add("grow", vec![], Arc::new(Fixed { tasks: 12, floor: 20 }));
        let memory = run.engine.memory().clone();
        let queries: Vec<QueryHandle> = (0..2)
            .map(|_| {
                let memory = memory.clone();
                run.submit(graph.clone(), vec![work(move |_, _, _| grower(&memory, 20, 500))])
            })
            .collect();
        queries.iter().for_each(|q| q.wait().unwrap());
        assert!(run.story.lock().unwrap().contains("> starved"));
        assert!(memory.budget.peak() <= 100 && memory.budget.held() == 0);
    });
}

#[test]
fn states_at_rest_give_memory_back() {
    on_all(100, |run| {
        let memory = run.engine.memory().clone();
        let rest = memory.budget.require("rest", 0, true).unwrap();
        assert!(rest.try_grow(90));
        let mut graph = Graph::default();
        graph.add("grow", vec![], Arc::new(Fixed { tasks: 1, floor: 10 }));
        let (budget, resting) = (memory.clone(), rest.clone());
        let fake = Fake {
            open: Box::new(move |_, _, _| grower(&budget, 10, 60)),
            sizes: Sizes::default(),
            spill: Box::new(move |bytes| {
                resting.shrink(bytes);
                bytes
            }),
        };
        run.submit(graph, vec![Arc::new(fake)]).wait().unwrap();
        assert_eq!(rest.held(), 40);
        assert_eq!(rest.wanted(), 0, "an answered request is withdrawn");
    });
}

#[test]
fn who_cannot_be_helped_fails_with_sizes() {
    on_all(100, |run| {
        let memory = run.engine.memory().clone();
        let pinned = memory.budget.require("pinned", 0, false).unwrap();
        assert!(pinned.try_grow(80));
        let budget = memory.clone();
        let stuck = work(move |_, _, _| {
            let state = budget.budget.require("hash table", 20, true)?;
            task(move |_| {
                assert!(!state.try_grow(30), "80 are pinned");
                Ok(Step::Starved(Starved { reservation: state.id(), bytes: 30 }))
            })
        });
        let error = run.submit(one_stage(1), vec![stuck]).wait().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Resources);
        assert!(error.message().contains("hash table needs 30 B more"), "{error}");
        assert!(error.message().contains("100 B"), "{error}");
        assert!(error.advice().is_some());
        // A reservation that says no when a task is opened is such an error too.
        let budget = memory.clone();
        let error = run.submit(one_stage(1), vec![work(move |_, _, _| grower(&budget, 30, 0))]).wait().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Resources);
        drop(pinned);
        run.submit(one_stage(1), vec![work(move |_, _, _| grower(&memory, 30, 300))]).wait().unwrap();
    });
}

#[test]
fn a_task_may_run_and_wait_for_a_query_of_its_own() {
    on_all(1 << 20, |run| {
        let engine = run.engine.clone();
        let total = Arc::new(AtomicUsize::new(0));
        let sum = total.clone();
        let outer = once(move |_, index| {
            let sum = sum.clone();
            let inner = once(move |_, n| {
                sum.fetch_add(n + 1, SeqCst);
                Ok(Step::Done)
            });
            engine.submit(one_stage(index + 1), vec![inner], Box::new(|_| {})).wait()?;
            Ok(Step::Done)
        });
        run.submit(one_stage(4), vec![outer]).wait().unwrap();
        assert_eq!(total.load(SeqCst), 1 + 3 + 6 + 10);
    });
}

#[test]
fn a_paused_query_does_not_stop_another() {
    on_all(1 << 20, |run| {
        let wakers: Arc<Mutex<Vec<Waker>>> = Arc::default();
        let parked = wakers.clone();
        let paused = work(move |_, _, cx| {
            let waker = cx.wakers.ticket();
            let (token, mut waited) = (waker.token(), false);
            parked.lock().unwrap().push(waker);
            task(move |_| Ok(if std::mem::replace(&mut waited, true) { Step::Done } else { Step::Wait(token) }))
        });
        let first = run.submit(one_stage(3), vec![paused]);
        run.submit(one_stage(9), vec![once(|_, _| Ok(Step::Done))]).wait().unwrap();
        assert!(!first.is_done());
        while !first.is_done() {
            let ready = std::mem::take(&mut *wakers.lock().unwrap());
            ready.iter().for_each(Waker::wake);
            // Runs a query to its end, so that the inline pool is driven.
            run.submit(one_stage(1), vec![once(|_, _| Ok(Step::Done))]).wait().unwrap();
        }
        first.wait().unwrap();
    });
}

#[test]
fn a_graph_that_breaks_its_rules_is_refused() {
    on_all(1 << 20, |run| {
        assert_eq!(run.submit(one_stage(1), vec![]).wait().unwrap_err().kind(), ErrorKind::Internal);
        let mut graph = Graph::default();
        graph.add("loop", vec![StageId(0)], fixed(1));
        let error = run.submit(graph, vec![once(|_, _| Ok(Step::Done))]).wait().unwrap_err();
        assert!(error.message().contains("s0 (loop)"));
        run.submit(Graph::default(), vec![]).wait().unwrap();
    });
}

#[test]
fn signals_about_nothing_are_harmless() {
    on_all(1 << 20, |run| {
        let query = QueryId(99);
        let mut out = Vec::new();
        let mut scheduler = crate::sched::Scheduler::new(1, 0);
        for signal in [
            crate::sched::Signal::Ready { query, token: Token(1) },
            crate::sched::Signal::Done { query, task: TaskId(0) },
            crate::sched::Signal::Gave { reservation: ReservationId(7), bytes: 9 },
            crate::sched::Signal::Cancel { query },
            crate::sched::Signal::Returned,
        ] {
            scheduler.on(signal, &mut out);
        }
        assert!(out.is_empty());
        // A waker that outlives its query.
        let kept: Arc<Mutex<Option<Waker>>> = Arc::default();
        let keep = kept.clone();
        let work = work(move |_, _, cx| {
            *keep.lock().unwrap() = Some(cx.wakers.ticket());
            task(|_| Ok(Step::Done))
        });
        run.submit(one_stage(1), vec![work]).wait().unwrap();
        let waker = kept.lock().unwrap().take().unwrap();
        waker.wake();
    });
}
