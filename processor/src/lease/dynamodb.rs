//! The lease table in DynamoDB.
//!
//! Items are updated, never replaced, so that attributes of other programs stay. The client's own retries are off: whoever
//! calls has to know whether a request may have been done.

mod expression;
mod failure;
mod table;

use std::sync::Arc;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::Builder;
use aws_sdk_dynamodb::config::retry::RetryConfig;
use aws_sdk_dynamodb::operation::delete_item::DeleteItemError;
use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::{
    AttributeValue, ReturnValue, ReturnValuesOnConditionCheckFailure as ReturnOnFailure,
};

use super::schema::{self, Attribute, Unreadable};
use super::store::LEASES_MAX;
use super::{Lease, LeaseKey, Store, StoreError, Write, Written};
use expression::Expression;

/// A table of DynamoDB, shared by all workers of an application.
#[derive(Clone, Debug)]
pub struct DynamoDb {
    client: Client,
    table: Arc<str>,
    is_creation_allowed: bool,
}

impl DynamoDb {
    /// The table of this name; [`Store::prepare`] makes it, with billing on demand, if `create`.
    #[must_use]
    pub fn new(client: Client, table: &str, create: bool) -> Self {
        Self { client, table: table.into(), is_creation_allowed: create }
    }

    async fn update(&self, write: &Write) -> Result<Written, StoreError> {
        let expression = Expression::of(write);
        let mut request = self
            .client
            .update_item()
            .table_name(&*self.table)
            .key(schema::KEY, AttributeValue::S(write.key().to_string()))
            .condition_expression(expression.condition())
            .set_update_expression(expression.update())
            .return_values(ReturnValue::AllNew)
            .return_values_on_condition_check_failure(ReturnOnFailure::AllOld);
        for (name, attribute) in expression.names() {
            request = request.expression_attribute_names(name, attribute);
        }
        for (name, value) in expression.values() {
            request = request.expression_attribute_values(name, value_of(value));
        }
        let answer = request.customize().config_override(without_retries()).send().await;
        let error = match answer {
            Ok(output) => {
                let now = match output.attributes() {
                    Some(item) => read(|name| item.get(name)).map_err(unusable)?,
                    None => self.get(write.key()).await?,
                };
                return Ok(Written::Done { now });
            }
            Err(error) => error,
        };
        match error.as_service_error() {
            Some(UpdateItemError::ConditionalCheckFailedException(failed)) => {
                let current = failed.item().filter(|item| !item.is_empty());
                self.refused(write.key(), current.map(|item| read(|name| item.get(name)))).await
            }
            _ => Err(self.failed("dynamodb:UpdateItem", &error)),
        }
    }

    async fn put(&self, lease: &Lease) -> Result<Written, StoreError> {
        let mut request = self
            .client
            .put_item()
            .table_name(&*self.table)
            .condition_expression("attribute_not_exists(#key)")
            .expression_attribute_names("#key", schema::KEY)
            .return_values_on_condition_check_failure(ReturnOnFailure::AllOld);
        for (name, value) in schema::to_attributes(lease) {
            request = request.item(name, value_of(value));
        }
        let error = match request.customize().config_override(without_retries()).send().await {
            Ok(_) => return Ok(Written::Done { now: Some(lease.clone()) }),
            Err(error) => error,
        };
        match error.as_service_error() {
            Some(PutItemError::ConditionalCheckFailedException(failed)) => {
                let current = failed.item().filter(|item| !item.is_empty());
                self.refused(&lease.key, current.map(|item| read(|name| item.get(name)))).await
            }
            _ => Err(self.failed("dynamodb:PutItem", &error)),
        }
    }

    async fn delete(&self, key: &LeaseKey) -> Result<Written, StoreError> {
        let request = self
            .client
            .delete_item()
            .table_name(&*self.table)
            .key(schema::KEY, AttributeValue::S(key.to_string()))
            // A table of KCL 3.5 holds other things too.
            .condition_expression("attribute_not_exists(#type) OR #type = :lease")
            .expression_attribute_names("#type", schema::ENTITY_TYPE)
            .expression_attribute_values(
                ":lease",
                AttributeValue::S(schema::ENTITY_LEASE.to_owned()),
            );
        let error = match request.customize().config_override(without_retries()).send().await {
            Ok(_) => return Ok(Written::Done { now: None }),
            Err(error) => error,
        };
        match error.as_service_error() {
            Some(DeleteItemError::ConditionalCheckFailedException(_)) => {
                Ok(Written::Refused { current: None })
            }
            _ => Err(self.failed("dynamodb:DeleteItem", &error)),
        }
    }

    /// The lease that a condition was not met by; read if the answer did not bring it.
    async fn refused(
        &self,
        key: &LeaseKey,
        current: Option<Result<Option<Lease>, Unreadable>>,
    ) -> Result<Written, StoreError> {
        let current = match current {
            Some(read) => read.map_err(unusable)?,
            None => self.get(key).await?,
        };
        Ok(Written::Refused { current })
    }
}

impl Store for DynamoDb {
    async fn prepare(&self) -> Result<(), StoreError> {
        self.prepare_table().await
    }

    async fn scan(&self) -> Result<Vec<Lease>, StoreError> {
        let (mut leases, mut start) = (Vec::new(), None);
        loop {
            let request =
                self.client.scan().table_name(&*self.table).set_exclusive_start_key(start.take());
            let answer = request.customize().config_override(without_retries()).send().await;
            let output = answer.map_err(|error| self.failed("dynamodb:Scan", &error))?;
            for item in output.items() {
                match read(|name| item.get(name)) {
                    Ok(lease) => leases.extend(lease),
                    Err(error) => {
                        tracing::warn!(%error, table = %self.table, "a lease is left alone")
                    }
                }
            }
            if leases.len() > LEASES_MAX {
                let message = format!("{} holds more than {LEASES_MAX} leases", self.table);
                return Err(StoreError::Unusable(message));
            }
            start = output.last_evaluated_key;
            if start.as_ref().is_none_or(|key| key.is_empty()) {
                return Ok(leases);
            }
        }
    }

    async fn get(&self, key: &LeaseKey) -> Result<Option<Lease>, StoreError> {
        let request = self
            .client
            .get_item()
            .table_name(&*self.table)
            .key(schema::KEY, AttributeValue::S(key.to_string()))
            .consistent_read(true);
        let answer = request.customize().config_override(without_retries()).send().await;
        let output = answer.map_err(|error| self.failed("dynamodb:GetItem", &error))?;
        let item = output.item().map(|item| read(|name| item.get(name)));
        item.transpose().map(Option::flatten).map_err(unusable)
    }

    async fn write(&self, write: &Write) -> Result<Written, StoreError> {
        match write {
            Write::Create(lease) => self.put(lease).await,
            Write::Delete { key } => self.delete(key).await,
            _ => self.update(write).await,
        }
    }
}

fn without_retries() -> Builder {
    Builder::new().retry_config(RetryConfig::disabled())
}

fn read<'a>(get: impl Fn(&str) -> Option<&'a AttributeValue>) -> Result<Option<Lease>, Unreadable> {
    schema::from_attributes(|name| {
        Some(match get(name)? {
            AttributeValue::S(text) => Attribute::Text(text.clone()),
            AttributeValue::N(number) => Attribute::Number(number.clone()),
            AttributeValue::Ss(texts) => Attribute::Texts(texts.clone()),
            AttributeValue::B(bytes) => Attribute::Bytes(bytes.clone().into_inner()),
            // Of no type that the schema knows: what needs this attribute says so.
            _ => Attribute::Bytes(Vec::new()),
        })
    })
}

fn value_of(attribute: Attribute) -> AttributeValue {
    match attribute {
        Attribute::Text(text) => AttributeValue::S(text),
        Attribute::Number(number) => AttributeValue::N(number),
        Attribute::Texts(texts) => AttributeValue::Ss(texts),
        Attribute::Bytes(bytes) => AttributeValue::B(Blob::new(bytes)),
    }
}

fn unusable(error: Unreadable) -> StoreError {
    StoreError::Unusable(error.to_string())
}
