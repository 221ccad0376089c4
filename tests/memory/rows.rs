//! The queries of the table of real memory, one for each way of an operator.

/// Statements over the table `t`, in a directory `{dir}` for outputs.
pub struct Row {
    pub name: String,
    /// The only row of the answer is the same whatever the budget; an answer with floats is rounded.
    pub sql: String,
}

const ROWS: &[(&str, &str)] = &[
    ("count", "SELECT count(*), count(text) FROM t"),
    (
        "few groups",
        "SELECT sum(n), min(m), max(s) FROM (SELECT small, count(*) AS n, min(num) AS m, sum(num) AS s FROM t GROUP BY small)",
    ),
    (
        "many groups",
        "SELECT count(*), sum(n), max(s) FROM (SELECT id, count(*) AS n, sum(num) AS s FROM t GROUP BY id)",
    ),
    ("wide text keys", "SELECT count(*), sum(n) FROM (SELECT text, count(*) AS n FROM t GROUP BY text)"),
    ("distinct", "SELECT count(*), sum(num) FROM (SELECT DISTINCT num, small FROM t)"),
    ("except", "SELECT count(*), sum(id) FROM (SELECT id, text FROM t EXCEPT SELECT id, text FROM t WHERE small < 8)"),
    (
        "intersect",
        "SELECT count(*), sum(id) FROM (SELECT id, text FROM t INTERSECT SELECT id, text FROM t WHERE small < 8)",
    ),
    ("sort", "SELECT count(*), sum(id) FROM (SELECT id, text FROM t ORDER BY text, id LIMIT 1000000000)"),
    (
        "sort to Parquet",
        "COPY (SELECT * FROM t ORDER BY text, id) TO '{dir}/sorted.parquet'; SELECT count(*), sum(id) FROM '{dir}/sorted.parquet'",
    ),
    (
        "sort to CSV",
        "COPY (SELECT * FROM t ORDER BY num, id) TO '{dir}/sorted.csv'; SELECT count(*), sum(id) FROM '{dir}/sorted.csv'",
    ),
    (
        "partitions",
        "COPY (SELECT *, num % 5000 AS k FROM t) TO '{dir}/parts' (FORMAT parquet, PARTITION_BY (k), OVERWRITE); \
         SELECT count(*), sum(id), sum(k) FROM '{dir}/parts/*/*.parquet'",
    ),
    (
        "many partitions",
        "COPY (SELECT id, num, small, text, id % 30000 AS k FROM t WHERE id < 900000) TO '{dir}/many' \
         (FORMAT parquet, PARTITION_BY (k), OVERWRITE); \
         SELECT count(*), sum(id), sum(k) FROM '{dir}/many/*1/*.parquet'",
    ),
    (
        "packed output",
        "COPY (SELECT * FROM t WHERE small < 2) TO '{dir}/packed.csv.xz'; SELECT count(*), sum(id) FROM '{dir}/packed.csv.xz'",
    ),
    ("top-k", "SELECT count(*), sum(id) FROM (SELECT id FROM t ORDER BY num DESC, id LIMIT 10000)"),
    ("wide top-k", "SELECT count(*), sum(id), max(text) FROM (SELECT * FROM t ORDER BY num DESC, id LIMIT 100000)"),
    ("large top-k", "SELECT count(*), sum(id), max(text) FROM (SELECT * FROM t ORDER BY num DESC, id LIMIT 700000)"),
    ("giant list", "SELECT len(array_agg(id)), length(string_agg(text, ',')) FROM t WHERE num < 1000"),
    (
        "window of all",
        "SELECT count(*), sum(r), sum(n), sum(s), max(c) FROM (SELECT rank() OVER (ORDER BY num) AS r, \
         ntile(10) OVER (ORDER BY num, id) AS n, count(*) OVER () AS c, \
         sum(id) OVER (ORDER BY num, id ROWS BETWEEN 1000 PRECEDING AND 10 FOLLOWING) AS s FROM t)",
    ),
    (
        "windows of many",
        "SELECT count(*), sum(r), sum(m), sum(l) FROM (SELECT row_number() OVER (PARTITION BY num ORDER BY id) AS r, \
         max(other) OVER (PARTITION BY num) AS m, lag(id) OVER (PARTITION BY num ORDER BY id) AS l FROM t)",
    ),
    (
        "texts and lists",
        "SELECT count(*), sum(length(s)), sum(len(l)), sum(f) FROM (SELECT num, string_agg(text, ',') AS s, array_agg(id) AS l, \
            first(id ORDER BY other) AS f FROM t GROUP BY num)",
    ),
    (
        "quantiles",
        "SELECT sum(m), max(q), sum(d) FROM (SELECT small, median(id) AS m, quantile_cont(other, 0.9) AS q, \
         quantile_disc(num, 0.2) AS d FROM t GROUP BY small)",
    ),
    (
        "modes",
        "SELECT count(*), sum(m), sum(d) FROM (SELECT small, mode(num) AS m, count(DISTINCT other) AS d FROM t GROUP BY small)",
    ),
    ("cube", "SELECT count(*), sum(n) FROM (SELECT num, small, count(*) AS n FROM t GROUP BY CUBE (num, small))"),
    ("join", "SELECT count(*), sum(a.num) FROM t AS a JOIN t AS b ON a.id = b.other"),
    (
        "wide join",
        "SELECT count(*), sum(length(a.text) + length(b.text)) FROM t AS a LEFT JOIN t AS b ON a.id = b.other",
    ),
    (
        "full join",
        "SELECT count(*), count(a.id), sum(b.id) FROM (SELECT * FROM t WHERE small < 9) AS a \
         FULL JOIN (SELECT * FROM t WHERE small > 5) AS b ON a.id = b.other",
    ),
    (
        "giant key",
        "SELECT count(*), sum(b.id) FROM (SELECT * FROM t LIMIT 20) AS a JOIN t AS b ON a.small < 99 AND b.small < 3",
    ),
    ("not in", "SELECT count(*), sum(id) FROM t WHERE text NOT IN (SELECT text FROM t WHERE small < 8)"),
    (
        "as-of join",
        "SELECT count(*), sum(b.id) FROM t AS a ASOF JOIN (SELECT * FROM t WHERE small < 4) AS b ON a.small = b.small AND a.id >= b.id",
    ),
    (
        "ten joins",
        "SELECT count(*), sum(a.num + b.num + c.num) FROM t AS a JOIN t AS b ON a.id = b.other JOIN t AS c ON b.id = c.other \
         JOIN (SELECT id FROM t) AS d ON c.id = d.id JOIN (SELECT other FROM t) AS e ON d.id = e.other \
         JOIN (SELECT id FROM t WHERE small > 0) AS f ON e.other = f.id JOIN (SELECT id FROM t WHERE small > 1) AS g ON f.id = g.id \
         JOIN (SELECT id FROM t WHERE small > 2) AS h ON g.id = h.id JOIN (SELECT id FROM t WHERE small > 3) AS i ON h.id = i.id \
         JOIN (SELECT id FROM t WHERE small > 4) AS j ON i.id = j.id JOIN (SELECT id FROM t WHERE small > 5) AS k ON j.id = k.id",
    ),
    (
        "shared part",
        "WITH c AS MATERIALIZED (SELECT num, id, text FROM t) \
         SELECT count(*), sum(a.n) FROM (SELECT num, count(*) AS n FROM c GROUP BY num) a JOIN (SELECT num, max(text) AS m FROM c GROUP BY num) b USING (num)",
    ),
    (
        "stored table",
        "CREATE TABLE p AS SELECT id, text FROM t; SELECT count(*), sum(id), max(text) FROM p; DROP TABLE p",
    ),
    (
        "four parts",
        "SELECT sum(n) FROM (SELECT count(*) AS n FROM (SELECT DISTINCT id, text FROM t) \
         UNION ALL SELECT count(*) FROM (SELECT text, count(*) FROM t GROUP BY text) \
         UNION ALL SELECT sum(r) FROM (SELECT rank() OVER (PARTITION BY small ORDER BY text) AS r FROM t) \
         UNION ALL SELECT count(*) FROM t a JOIN t b ON a.id = b.other)",
    ),
    ("unnest", "SELECT count(*), sum(u), sum(id) FROM (SELECT id, unnest([id, num, small]) AS u FROM t)"),
    (
        "recursive",
        "WITH RECURSIVE r(n, d) AS (SELECT id, 0 FROM t WHERE small < 3 UNION ALL SELECT n, d + 1 FROM r WHERE d < 4) \
         SELECT count(*), sum(n), sum(d) FROM r",
    ),
    (
        "large cells",
        "SELECT count(*), sum(length(m)) FROM (SELECT small, max(repeat(text, 5000)) AS m FROM t WHERE num < 100 GROUP BY small)",
    ),
];

/// All of them, with a sort of a hundred columns of some of the rows.
pub fn rows() -> Vec<Row> {
    let columns: Vec<String> = (0..98).map(|i| format!("num + {i} AS c{i}")).collect();
    let sum: Vec<String> = (0..98).map(|i| format!("c{i}")).collect();
    let (columns, sum) = (columns.join(", "), sum.join(" + "));
    let wide = format!(
        "SELECT count(*), sum(id), sum({sum}) FROM (SELECT id, text, {columns} FROM t WHERE small < 2 ORDER BY text LIMIT 1000000000)"
    );
    let rows = ROWS.iter().map(|(name, sql)| Row { name: name.to_string(), sql: sql.to_string() });
    rows.chain([Row { name: "100 columns".into(), sql: wide }]).collect()
}
