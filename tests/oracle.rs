//! Random queries over random files, against a naive evaluator.
//!
//! Life of a case: a seed makes two tables (nulls, NaN, empty and long text, a giant key, empty files), written as several
//! CSV, JSON or Parquet files; it makes queries, each as SQL and as what the naive evaluator says; the engine answers each
//! in several settings (inline or a pool, threads, batch sizes, page sizes, roomy and starved budgets), always the same.
//!
//! `ORACLE_CASES=5000 cargo test --test oracle` runs more cases, `ORACLE_SEED=17` one of them.

mod oracle {
    pub mod engine;
    pub mod query;
    pub mod table;
    pub mod value;
}

use oracle::engine::{Setting, Supported};
use oracle::query::Query;
use oracle::table::Tables;
use oracle::value::{Random, difference};

/// Cases without the environment variable.
const CASES: u64 = 60;
/// Queries of one case.
const QUERIES: usize = 4;

#[test]
fn the_engine_agrees_with_the_naive_evaluator() {
    let number = |name: &str| std::env::var(name).ok().map(|text| text.parse::<u64>().unwrap());
    let seeds = match number("ORACLE_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("ORACLE_CASES").unwrap_or(CASES),
    };
    let supported = Supported::probe();
    let mut failed = Vec::new();
    for seed in seeds {
        let mut random = Random::new(seed);
        let tables = Tables::random(&mut random);
        let queries: Vec<Query> = (0..QUERIES).map(|_| Query::random(&mut random, &tables, supported)).collect();
        for setting in Setting::some(&mut random, seed) {
            let session = setting.session(&tables);
            for query in &queries {
                let answer = setting.answer(session.as_ref(), &tables, &query.sql);
                let wrong = match answer {
                    Ok(rows) => difference(query, &rows),
                    Err(error) => Some(error.to_string()),
                };
                if let Some(wrong) = wrong {
                    failed.push(format!("seed {seed}, {setting:?}, {}\n{}\n{wrong}\n", tables.describe(), query.sql));
                }
            }
        }
        assert!(failed.len() < 5, "{}", failed.join("\n"));
    }
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}
