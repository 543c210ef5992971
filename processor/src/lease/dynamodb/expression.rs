//! Writes as condition and update expressions of DynamoDB: what [`Write::apply`] says, in its language.

use std::collections::{BTreeMap, BTreeSet};

use crate::lease::schema::{self, Attribute};
use crate::lease::{HashRange, Write};

/// A condition and an update. Names and values are placeholders throughout: some names are reserved words.
#[derive(Debug, Default)]
pub(super) struct Expression {
    conditions: Vec<String>,
    sets: Vec<String>,
    adds: Vec<String>,
    removes: Vec<String>,
    names: BTreeSet<&'static str>,
    values: BTreeMap<String, Attribute>,
}

impl Expression {
    /// Of a write to an item that is there; puts and deletions are no updates.
    pub(super) fn of(write: &Write) -> Self {
        let mut expression = Self::default();
        match write {
            Write::Create(_) | Write::Delete { .. } => {}
            Write::Renew { counter, holder, .. } => {
                expression.count(*counter);
                expression.require_holder(holder);
            }
            Write::Take { counter, owner, is_switch, .. } => {
                expression.count(*counter);
                expression.set(schema::OWNER, text(owner));
                expression.remove(schema::CHECKPOINT_OWNER);
                if *is_switch {
                    expression.add(schema::OWNER_SWITCHES, number(1));
                }
            }
            Write::RequestHandoff { owner, next, .. } => {
                expression.require(schema::OWNER, Some(text(owner)));
                expression.require(schema::CHECKPOINT_OWNER, None);
                expression.set(schema::OWNER, text(next));
                expression.set(schema::CHECKPOINT_OWNER, text(owner));
            }
            Write::Checkpoint { counter, holder, checkpoint, children, .. } => {
                let (checkpoint, sub_sequence) = checkpoint.to_text();
                expression.count(*counter);
                expression.require_holder(holder);
                expression.set(schema::CHECKPOINT, text(&checkpoint));
                expression.set(schema::SUB_SEQUENCE, number(sub_sequence));
                expression.set(schema::OWNER_SWITCHES, number(0));
                for name in [schema::PENDING, schema::PENDING_SUB_SEQUENCE, schema::PENDING_STATE] {
                    expression.remove(name);
                }
                expression.set_children(children);
            }
            Write::Evict { counter, owner, checkpoint_owner, .. } => {
                expression.count(*counter);
                expression.require(schema::OWNER, owner.as_deref().map(text));
                expression.require(schema::CHECKPOINT_OWNER, checkpoint_owner.as_deref().map(text));
                expression.remove(match checkpoint_owner {
                    Some(_) => schema::CHECKPOINT_OWNER,
                    None => schema::OWNER,
                });
            }
            Write::UpdateMeta { children, hash_range, .. } => {
                let key = expression.name(schema::KEY);
                expression.conditions.push(format!("attribute_exists({key})"));
                expression.set_children(children);
                if let Some(HashRange { start, end }) = hash_range {
                    expression.set(schema::HASH_START, text(&start.to_string()));
                    expression.set(schema::HASH_END, text(&end.to_string()));
                }
            }
        }
        expression
    }

    pub(super) fn condition(&self) -> String {
        self.conditions.join(" AND ")
    }

    pub(super) fn update(&self) -> Option<String> {
        let clauses = [("SET", &self.sets), ("ADD", &self.adds), ("REMOVE", &self.removes)];
        let clause = |(verb, parts): (&str, &Vec<String>)| {
            (!parts.is_empty()).then(|| format!("{verb} {}", parts.join(", ")))
        };
        let clauses: Vec<String> = clauses.into_iter().filter_map(clause).collect();
        (!clauses.is_empty()).then(|| clauses.join(" "))
    }

    pub(super) fn names(&self) -> impl Iterator<Item = (String, &'static str)> {
        self.names.iter().map(|name| (format!("#{name}"), *name))
    }

    pub(super) fn values(self) -> impl Iterator<Item = (String, Attribute)> {
        self.values.into_iter()
    }

    /// The counter must be this, and is one larger afterwards.
    fn count(&mut self, counter: u64) {
        self.require(schema::COUNTER, Some(number(counter)));
        self.set(schema::COUNTER, number(counter.saturating_add(1)));
    }

    fn require_holder(&mut self, holder: &str) {
        let (owner, checkpoint_owner) =
            (self.name(schema::OWNER), self.name(schema::CHECKPOINT_OWNER));
        let holder = self.value(text(holder));
        self.conditions.push(format!(
            "({checkpoint_owner} = {holder} OR \
             (attribute_not_exists({checkpoint_owner}) AND {owner} = {holder}))"
        ));
    }

    /// The attribute must have this value, or none.
    fn require(&mut self, attribute: &'static str, value: Option<Attribute>) {
        let name = self.name(attribute);
        let condition = match value {
            Some(value) => format!("{name} = {}", self.value(value)),
            None => format!("attribute_not_exists({name})"),
        };
        self.conditions.push(condition);
    }

    fn set(&mut self, attribute: &'static str, value: Attribute) {
        let set = format!("{} = {}", self.name(attribute), self.value(value));
        self.sets.push(set);
    }

    fn set_children(&mut self, children: &[std::sync::Arc<str>]) {
        // DynamoDB refuses a set that is empty or names one twice.
        let ids: BTreeSet<String> = children.iter().map(|id| id.to_string()).collect();
        if !ids.is_empty() {
            self.set(schema::CHILDREN, Attribute::Texts(ids.into_iter().collect()));
        }
    }

    fn add(&mut self, attribute: &'static str, value: Attribute) {
        let add = format!("{} {}", self.name(attribute), self.value(value));
        self.adds.push(add);
    }

    fn remove(&mut self, attribute: &'static str) {
        let name = self.name(attribute);
        self.removes.push(name);
    }

    fn name(&mut self, attribute: &'static str) -> String {
        self.names.insert(attribute);
        format!("#{attribute}")
    }

    fn value(&mut self, value: Attribute) -> String {
        let name = format!(":v{}", self.values.len());
        self.values.insert(name.clone(), value);
        name
    }
}

fn text(text: &str) -> Attribute {
    Attribute::Text(text.to_owned())
}

fn number(number: u64) -> Attribute {
    Attribute::Number(number.to_string())
}
