//! A frame whose files are not what their samples showed: it begins anew, over tables that all their data was looked at for.
//!
//! 1. A value contradicts a guessed type while the frame runs; or a verb names a column that the frame does not have, and its
//!    files have records with such a key ([`knowing`](Frame::knowing)).
//! 2. The session infers the tables of that file from all their data, and remembers that.
//! 3. A frame that is a statement is bound anew; of any other, the scans are made again and the verbs stay. What no longer
//!    fits together with the wider types is an error.

use super::{Frame, Session};
use crate::error::{Error, Place, Result};
use crate::formats::{Table, file_with_key};
use crate::front::{Source, TableRef, walk};
use crate::ops::expr::from_datafusion;
use datafusion_common::tree_node::{Transformed, TreeNodeRecursion};
use datafusion_common::{Column, DataFusionError};
use datafusion_expr::{Expr, LogicalPlan, LogicalPlanBuilder};
use std::sync::Arc;

impl Frame {
    /// The same frame after `error`: a value contradicted a type that was guessed.
    ///
    /// # Errors
    /// Files that are not there any more; verbs that do not fit the wider types.
    pub(super) fn again(&self, error: &Error) -> Result<Frame> {
        self.session.0.infer_fully(error)?;
        match &self.statement {
            Some(statement) => self.session.frame(statement),
            None => Ok(Frame { plan: over_tables_of(&self.session, &self.plan)?, ..self.clone() }),
        }
    }

    /// The frame, over tables that have the columns that `exprs` name, if its files have them.
    ///
    /// # Errors
    /// Files cannot be read.
    pub(super) fn knowing<'e>(self, exprs: impl IntoIterator<Item = &'e Expr>) -> Result<Frame> {
        let schema = self.plan.schema();
        let named: Vec<Column> = exprs.into_iter().flat_map(|expr| expr.column_refs().into_iter().cloned()).collect();
        let missing = named.into_iter().filter(|column| !schema.has_column(column));
        for column in missing {
            for table in tables(&self.plan)? {
                if let Some(file) = file_with_key(&table, &column.name)? {
                    let found = Error::query("a key that no sample showed").misfit();
                    return self.again(&found.at(Place { file: Some(file), ..Place::default() }));
                }
            }
        }
        Ok(self)
    }
}

/// The tables over files that a plan reads.
fn tables(plan: &LogicalPlan) -> Result<Vec<Arc<Table>>> {
    let mut found = Vec::new();
    let look = walk::look_at_plans(plan, &mut |node| {
        if let LogicalPlan::TableScan(scan) = node
            && let Some(Source { table: TableRef::Files(table) }) = Source::of(&*scan.source)
        {
            found.push(Arc::clone(table));
        }
        Ok(TreeNodeRecursion::Continue)
    });
    look.map_err(from_datafusion)?;
    Ok(found)
}

/// The plan over the tables as the session knows them now.
fn over_tables_of(session: &Session, plan: &LogicalPlan) -> Result<LogicalPlan> {
    let step = &mut |node| match node {
        LogicalPlan::TableScan(scan) => match Source::of(&*scan.source) {
            Some(Source { table: TableRef::Files(table) }) if scan.filters.is_empty() && scan.projection.is_none() => {
                let opened = session.0.front.open(table.def.clone());
                let table = opened.map_err(|e| DataFusionError::External(Box::new(e)))?;
                let source = Source::new(TableRef::Files(table));
                Ok(Transformed::yes(LogicalPlanBuilder::scan(scan.table_name, source, None)?.build()?))
            }
            _ => Ok(Transformed::no(LogicalPlan::TableScan(scan))),
        },
        node => Ok(Transformed::yes(node.recompute_schema()?)),
    };
    Ok(walk::plan_up(plan.clone(), step).map_err(from_datafusion)?.data)
}
