//! A random query, as SQL and as its answer by the naive way.

use super::engine::Supported;
use super::table::{COLUMNS, Tables, date, decimal};
use super::value::{Random, Row, Value};
use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};

pub struct Query {
    pub sql: String,
    pub expected: Vec<Row>,
    /// Whether the order of the rows is promised.
    pub ordered: bool,
    /// The first columns that tell the rows apart, where it is not.
    pub keys: usize,
}

/// Rows on their way, and the SQL that gives them: `SELECT ... {from}`.
struct From {
    sql: String,
    rows: Vec<Row>,
}

impl Query {
    pub fn random(random: &mut Random, tables: &Tables, supported: Supported) -> Query {
        let from = From::random(random, tables);
        loop {
            return match random.below(10) {
                0 | 1 => rows(random, from),
                2..=5 => grouped(random, from),
                6 => distinct(random, from),
                7 if supported.join => joined(random, tables),
                8 | 9 if supported.sort => sorted(random, from),
                _ => continue,
            };
        }
    }
}

impl From {
    /// A table or a union, filtered or not.
    fn random(random: &mut Random, tables: &Tables) -> From {
        let [a, b] = &tables.tables;
        let (sql, mut rows) = match random.below(3) {
            0 => ("a".to_string(), a.rows.clone()),
            1 => ("b".to_string(), b.rows.clone()),
            _ => {
                let both = a.rows.iter().chain(&b.rows).cloned().collect();
                ("(SELECT * FROM a UNION ALL SELECT * FROM b) AS u".to_string(), both)
            }
        };
        if random.one_in(3) {
            return From { sql, rows };
        }
        let test = Test::random(random, 2);
        rows.retain(|row| test.eval(row) == Some(true));
        From { sql: format!("{sql} WHERE {}", test.sql()), rows }
    }
}

/// A test of a row; null where SQL says null.
enum Test {
    Compare(usize, &'static str, Value),
    IsNull(usize, bool),
    And(Box<Test>, Box<Test>),
    Or(Box<Test>, Box<Test>),
    Not(Box<Test>),
}

impl Test {
    fn random(random: &mut Random, depth: usize) -> Test {
        let deeper = |random: &mut Random| Box::new(Test::random(random, depth - 1));
        match random.below(if depth > 0 { 8 } else { 5 }) {
            0 => Test::IsNull(random.below(COLUMNS.len()), random.one_in(2)),
            1..=4 => {
                let (column, value) = match random.below(6) {
                    0 => (1, Value::Int(random.below(12) as i64 - 3)),
                    1 => (2, Value::Int(random.below(1000) as i64)),
                    2 => (3, Value::Float(1.25 + random.below(3) as f64)),
                    3 => (4, Value::Text(format!("ö{}", random.below(40)))),
                    4 => (6, Value::Date(10_000 + random.below(40) as i32)),
                    _ => (7, Value::Decimal(random.below(2_000_000) as i128 - 1_000_000)),
                };
                Test::Compare(column, random.pick::<&str>(&["=", "<>", "<", "<=", ">", ">="]), value)
            }
            5 => Test::And(deeper(random), deeper(random)),
            6 => Test::Or(deeper(random), deeper(random)),
            _ => Test::Not(deeper(random)),
        }
    }

    fn eval(&self, row: &Row) -> Option<bool> {
        match self {
            Test::IsNull(column, is) => Some(row[*column].is_null() == *is),
            Test::Compare(column, ..) if row[*column].is_null() => None,
            Test::Compare(column, operator, value) => {
                let order = row[*column].order(value);
                Some(match *operator {
                    "=" => order == Ordering::Equal,
                    "<>" => order != Ordering::Equal,
                    "<" => order == Ordering::Less,
                    "<=" => order != Ordering::Greater,
                    ">" => order == Ordering::Greater,
                    _ => order != Ordering::Less,
                })
            }
            Test::Not(a) => a.eval(row).map(|x| !x),
            Test::And(a, b) => match (a.eval(row), b.eval(row)) {
                (Some(false), _) | (_, Some(false)) => Some(false),
                (Some(true), Some(true)) => Some(true),
                _ => None,
            },
            Test::Or(a, b) => match (a.eval(row), b.eval(row)) {
                (Some(true), _) | (_, Some(true)) => Some(true),
                (Some(false), Some(false)) => Some(false),
                _ => None,
            },
        }
    }

    fn sql(&self) -> String {
        match self {
            Test::IsNull(column, is) => format!("{} IS {}NULL", COLUMNS[*column], if *is { "" } else { "NOT " }),
            Test::Compare(column, operator, value) => format!("{} {operator} {}", COLUMNS[*column], literal(value)),
            Test::And(a, b) => format!("({} AND {})", a.sql(), b.sql()),
            Test::Or(a, b) => format!("({} OR {})", a.sql(), b.sql()),
            Test::Not(a) => format!("NOT ({})", a.sql()),
        }
    }
}

fn literal(value: &Value) -> String {
    match value {
        Value::Null => "NULL".into(),
        Value::Bool(b) => b.to_string(),
        Value::Int(i) => i.to_string(),
        Value::Float(f) => format!("{f:?}"),
        Value::Date(d) => format!("DATE '{}'", date(*d)),
        Value::Decimal(m) => format!("CAST('{}' AS DECIMAL(12, 2))", decimal(*m)),
        Value::Text(t) => format!("'{}'", t.replace('\'', "''")),
    }
}

/// Columns of the rows, in the input's order, some of them or all.
fn rows(random: &mut Random, from: From) -> Query {
    let columns = some_columns(random);
    let names: Vec<&str> = columns.iter().map(|c| COLUMNS[*c]).collect();
    let mut sql = format!("SELECT {}, k + 1 FROM {}", names.join(", "), from.sql);
    let next = |row: &Row| match &row[1] {
        Value::Int(k) => Value::Int(k + 1),
        other => other.clone(),
    };
    let project = |row: &Row| columns.iter().map(|c| row[*c].clone()).chain([next(row)]).collect::<Row>();
    let mut expected: Vec<Row> = from.rows.iter().map(project).collect();
    if random.one_in(2) {
        let (limit, skip) = (random.below(60), random.below(30));
        sql = format!("{sql} LIMIT {limit} OFFSET {skip}");
        expected = expected.into_iter().skip(skip).take(limit).collect();
    }
    Query { sql, expected, ordered: true, keys: 0 }
}

fn some_columns(random: &mut Random) -> Vec<usize> {
    let mut columns: Vec<usize> = (0..COLUMNS.len()).filter(|_| random.one_in(2)).collect();
    if columns.is_empty() {
        columns.push(random.below(COLUMNS.len()));
    }
    columns
}

fn distinct(random: &mut Random, from: From) -> Query {
    let columns: Vec<usize> = some_columns(random).into_iter().filter(|c| *c != 0).chain([1]).collect();
    let names: Vec<&str> = columns.iter().map(|c| COLUMNS[*c]).collect();
    let mut seen = BTreeSet::new();
    let project = |row: &Row| columns.iter().map(|c| row[*c].clone()).collect::<Row>();
    let is_new = |row: &Row| seen.insert(row.iter().map(Value::key).collect::<Vec<_>>());
    let expected: Vec<Row> = from.rows.iter().map(project).filter(is_new).collect();
    let sql = format!("SELECT DISTINCT {} FROM {}", names.join(", "), from.sql);
    Query { sql, expected, ordered: false, keys: columns.len() }
}

/// An aggregate: its SQL over a column, and its value over the column's values that are not null.
type Aggregate = (&'static str, &'static [usize], fn(&[Value]) -> Value);

const ALL: &[usize] = &[0, 1, 2, 3, 4, 5, 6, 7];

const AGGREGATES: &[Aggregate] = &[
    ("count", ALL, |v| Value::Int(v.len() as i64)),
    ("min", &[0, 1, 2, 3, 4, 6, 7], |v| best(v, Ordering::Less)),
    ("max", &[0, 1, 2, 3, 4, 6, 7], |v| best(v, Ordering::Greater)),
    ("sum", &[0, 1, 2, 3, 7], sum),
    ("avg", &[0, 1, 2, 3], |v| float(v, 1, |v| v.iter().sum::<f64>() / v.len() as f64)),
    ("var_pop", &[1, 2, 3], |v| float(v, 1, |v| squares(v) / v.len() as f64)),
    ("var_samp", &[1, 2, 3], |v| float(v, 2, |v| squares(v) / (v.len() - 1) as f64)),
    ("stddev_pop", &[1, 2], |v| float(v, 1, |v| (squares(v) / v.len() as f64).sqrt())),
    ("stddev", &[1, 2], |v| float(v, 2, |v| (squares(v) / (v.len() - 1) as f64).sqrt())),
    ("bool_and", &[5], |v| truth(v, |v| v.iter().all(|x| *x))),
    ("bool_or", &[5], |v| truth(v, |v| v.iter().any(|x| *x))),
    ("bit_and", &[1, 2], |v| bits(v, |a, b| a & b)),
    ("bit_or", &[1, 2], |v| bits(v, |a, b| a | b)),
    ("bit_xor", &[1, 2], |v| bits(v, |a, b| a ^ b)),
];

fn best(values: &[Value], wanted: Ordering) -> Value {
    let best = values.iter().cloned().reduce(|a, b| if b.order(&a) == wanted { b } else { a });
    best.unwrap_or(Value::Null)
}

fn sum(values: &[Value]) -> Value {
    let add = |a: Value, b: Value| match (a, b) {
        (Value::Int(a), Value::Int(b)) => Value::Int(a + b),
        (Value::Decimal(a), Value::Decimal(b)) => Value::Decimal(a + b),
        (Value::Float(a), Value::Float(b)) => Value::Float(a + b),
        other => panic!("no sum of {other:?}"),
    };
    values.iter().cloned().reduce(add).unwrap_or(Value::Null)
}

fn float(values: &[Value], least: usize, of: impl Fn(&[f64]) -> f64) -> Value {
    let numbers: Vec<f64> = values.iter().map(Value::number).collect();
    if numbers.len() < least { Value::Null } else { Value::Float(of(&numbers)) }
}

fn squares(numbers: &[f64]) -> f64 {
    let mean = numbers.iter().sum::<f64>() / numbers.len() as f64;
    numbers.iter().map(|x| (x - mean) * (x - mean)).sum()
}

fn truth(values: &[Value], of: impl Fn(&[bool]) -> bool) -> Value {
    let bools: Vec<bool> = values.iter().map(|value| matches!(value, Value::Bool(true))).collect();
    if bools.is_empty() { Value::Null } else { Value::Bool(of(&bools)) }
}

fn bits(values: &[Value], of: impl Fn(i64, i64) -> i64) -> Value {
    let int = |value: &Value| match value {
        Value::Int(i) => *i,
        other => panic!("no bits of {other:?}"),
    };
    values.iter().map(int).reduce(of).map_or(Value::Null, Value::Int)
}

fn grouped(random: &mut Random, from: From) -> Query {
    let keys: Vec<usize> = match random.below(4) {
        0 => Vec::new(),
        1 => vec![*random.pick(&[0, 2])],
        _ => some_columns(random).into_iter().filter(|c| *c != 0).collect(),
    };
    let mut select: Vec<String> = keys.iter().map(|c| COLUMNS[*c].to_string()).collect();
    let calls: Vec<(Aggregate, usize, Option<Test>)> = (0..1 + random.below(5))
        .map(|_| {
            let call = *random.pick(AGGREGATES);
            let filter = random.one_in(4).then(|| Test::random(random, 1));
            (call, *random.pick(call.1), filter)
        })
        .collect();
    for (i, (call, column, filter)) in calls.iter().enumerate() {
        let filter = filter.as_ref().map_or(String::new(), |test| format!(" FILTER (WHERE {})", test.sql()));
        select.push(format!("{}({}){filter} AS x{i}", call.0, COLUMNS[*column]));
    }
    select.push("count(*)".into());
    let mut groups: BTreeMap<Vec<String>, Vec<&Row>> = BTreeMap::new();
    if keys.is_empty() {
        groups.insert(Vec::new(), Vec::new());
    }
    for row in &from.rows {
        groups.entry(keys.iter().map(|c| row[*c].key()).collect()).or_default().push(row);
    }
    let answer = |rows: &Vec<&Row>| -> Row {
        let own = keys.iter().map(|c| rows[0][*c].clone());
        let value = |(call, column, filter): &(Aggregate, usize, Option<Test>)| {
            let wanted = rows.iter().filter(|row| filter.as_ref().is_none_or(|test| test.eval(row) == Some(true)));
            call.2(&wanted.map(|row| row[*column].clone()).filter(|value| !value.is_null()).collect::<Vec<_>>())
        };
        own.chain(calls.iter().map(value)).chain([Value::Int(rows.len() as i64)]).collect()
    };
    let expected = groups.values().map(answer).collect();
    let mut sql = format!("SELECT {} FROM {}", select.join(", "), from.sql);
    if !keys.is_empty() {
        let names: Vec<&str> = keys.iter().map(|c| COLUMNS[*c]).collect();
        sql = format!("{sql} GROUP BY {}", names.join(", "));
    }
    Query { sql, expected, ordered: false, keys: keys.len() }
}

/// A join of the two tables by one column.
fn joined(random: &mut Random, tables: &Tables) -> Query {
    let column = *random.pick(&[0, 1, 2, 4, 6]);
    let name = COLUMNS[column];
    let [a, b] = &tables.tables;
    // Not the square of the giant key of two large tables.
    let most = 150;
    let head = |rows: &[Row]| rows.iter().take(most).cloned().collect::<Vec<Row>>();
    let (left, right) = (head(&a.rows), head(&b.rows));
    let inputs = [("a", 0), ("b", 100_000)].map(|(t, from)| format!("(SELECT * FROM {t} WHERE id < {})", from + most));
    let matches = |l: &Row, r: &Row| !l[column].is_null() && !r[column].is_null() && l[column].key() == r[column].key();
    let mut expected = Vec::new();
    let how = *random.pick(&["JOIN", "LEFT JOIN", "RIGHT JOIN", "FULL JOIN"]);
    if random.one_in(3) {
        let not = random.one_in(2);
        let kept = left.iter().filter(|l| right.iter().any(|r| matches(l, r)) != not);
        let sql = format!(
            "SELECT a.id FROM {} AS a WHERE {}EXISTS (SELECT 1 FROM {} AS b WHERE a.{name} = b.{name})",
            inputs[0],
            if not { "NOT " } else { "" },
            inputs[1]
        );
        return Query { sql, expected: kept.map(|l| vec![l[0].clone()]).collect(), ordered: false, keys: 1 };
    }
    for l in &left {
        let before = expected.len();
        expected.extend(right.iter().filter(|r| matches(l, r)).map(|r| vec![l[0].clone(), r[0].clone()]));
        if expected.len() == before && matches!(how, "LEFT JOIN" | "FULL JOIN") {
            expected.push(vec![l[0].clone(), Value::Null]);
        }
    }
    if matches!(how, "RIGHT JOIN" | "FULL JOIN") {
        let lonely = right.iter().filter(|r| !left.iter().any(|l| matches(l, r)));
        expected.extend(lonely.map(|r| vec![Value::Null, r[0].clone()]));
    }
    let sql = format!("SELECT a.id, b.id FROM {} AS a {how} {} AS b ON a.{name} = b.{name}", inputs[0], inputs[1]);
    Query { sql, expected, ordered: false, keys: 2 }
}

/// The rows by one or two columns, then by their place; all or the first ones.
fn sorted(random: &mut Random, from: From) -> Query {
    let keys: Vec<(usize, bool, bool)> = (0..1 + random.below(2))
        .map(|_| (1 + random.below(COLUMNS.len() - 1), random.one_in(2), random.one_in(2)))
        .collect();
    let order = |(column, down, first): &(usize, bool, bool), a: &Row, b: &Row| {
        let (a, b) = (&a[*column], &b[*column]);
        match (a.is_null(), b.is_null()) {
            (true, true) => Ordering::Equal,
            (false, false) if *down => b.order(a),
            (false, false) => a.order(b),
            (null, _) if null == *first => Ordering::Less,
            _ => Ordering::Greater,
        }
    };
    let mut expected = from.rows;
    // The sort is stable: ties stay in the input's order.
    expected.sort_by(|a, b| keys.iter().map(|key| order(key, a, b)).find(|o| o.is_ne()).unwrap_or(Ordering::Equal));
    let by = keys.iter().map(|(column, down, first)| {
        let (way, nulls) = (if *down { "DESC" } else { "ASC" }, if *first { "FIRST" } else { "LAST" });
        format!("{} {way} NULLS {nulls}", COLUMNS[*column])
    });
    let mut sql = format!("SELECT * FROM {} ORDER BY {}", from.sql, by.collect::<Vec<_>>().join(", "));
    if random.one_in(2) {
        let (limit, skip) = (1 + random.below(40), random.below(10));
        sql = format!("{sql} LIMIT {limit} OFFSET {skip}");
        expected = expected.into_iter().skip(skip).take(limit).collect();
    }
    Query { sql, expected, ordered: true, keys: 0 }
}
