//! `WITH` inside of `WITH`, with a name that is taken outside: it hides the outer one, as in SQL.
//!
//! The binder refuses the second. So the inner one gets a name of its own, and where it is meant, that name with the old
//! one as an alias. What an inner query of that name says about the name itself still means the outer one:
//!
//! ```text
//! WITH t AS (..) SELECT .. FROM (WITH t AS (SELECT .. FROM t) SELECT .. FROM t)
//!                                     t:1                outer                t:1 AS t
//! ```

use super::make;
use super::names::normal;
use super::walk;
use datafusion_sql::sqlparser::ast::{
    Ident, ObjectName, ObjectNamePart, Query, TableAlias, TableFactor, VisitorMut, With,
};
use std::collections::BTreeMap;
use std::ops::ControlFlow;

/// Gives inner queries of a name that is taken names of their own.
pub(super) fn tell_apart(query: &mut Query) {
    let mut shadow = Shadow { scopes: vec![BTreeMap::new()], withs: Vec::new(), made: 0 };
    let _ = walk::alter(query, &mut shadow);
}

/// What the names of named queries are called.
type Scope = BTreeMap<String, String>;

struct Shadow {
    /// What is seen in each open query, the innermost last.
    scopes: Vec<Scope>,
    /// The WITH of each open query: done, and out of the walk's way.
    withs: Vec<Option<With>>,
    made: usize,
}

impl Shadow {
    fn scope(&self) -> Scope {
        self.scopes.last().cloned().unwrap_or_default()
    }

    fn with(&mut self, with: &mut With, scope: &mut Scope) {
        let outer = scope.clone();
        for cte in &mut with.cte_tables {
            let before = scope.clone();
            self.name(&mut cte.alias.name, &outer, scope);
            let seen = if with.recursive { scope.clone() } else { before };
            let mut inside = Shadow { scopes: vec![seen], withs: Vec::new(), made: self.made };
            let _ = walk::alter(&mut *cte.query, &mut inside);
            self.made = inside.made;
        }
    }

    fn name(&mut self, ident: &mut Ident, outer: &Scope, scope: &mut Scope) {
        let name = normal(ident);
        if outer.contains_key(&name) {
            self.made += 1;
            let own = format!("{name}:{}", self.made);
            *ident = make::quoted(own.as_str());
            scope.insert(name, own);
        } else {
            scope.insert(name.clone(), name);
        }
    }
}

impl VisitorMut for Shadow {
    type Break = ();

    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<()> {
        let mut scope = self.scope();
        let mut with = query.with.take();
        if let Some(with) = &mut with {
            self.with(with, &mut scope);
        }
        self.scopes.push(scope);
        self.withs.push(with);
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, query: &mut Query) -> ControlFlow<()> {
        self.scopes.pop();
        query.with = self.withs.pop().flatten();
        ControlFlow::Continue(())
    }

    fn pre_visit_table_factor(&mut self, factor: &mut TableFactor) -> ControlFlow<()> {
        let TableFactor::Table { name, alias, args: None, .. } = factor else { return ControlFlow::Continue(()) };
        let [ObjectNamePart::Identifier(ident)] = name.0.as_slice() else { return ControlFlow::Continue(()) };
        let old = ident.clone();
        let own = self.scopes.last().and_then(|scope| scope.get(&normal(&old)));
        if let Some(own) = own.filter(|own| **own != normal(&old)) {
            *name = ObjectName::from(vec![make::quoted(own.as_str())]);
            alias.get_or_insert_with(|| TableAlias { explicit: true, name: old, columns: Vec::new(), at: None });
        }
        ControlFlow::Continue(())
    }
}
