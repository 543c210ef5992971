//! The table itself: looked at, made, waited for.

use std::time::Duration;

use aws_sdk_dynamodb::error::{ProvideErrorMetadata as _, SdkError};
use aws_sdk_dynamodb::operation::create_table::CreateTableError;
use aws_sdk_dynamodb::operation::describe_table::DescribeTableError;
use aws_sdk_dynamodb::types::{
    AttributeDefinition, BillingMode, KeySchemaElement, KeyType, ScalarAttributeType,
    TableDescription, TableStatus,
};

use super::DynamoDb;
use crate::lease::schema;
use crate::lease::store::StoreError;

/// A table is ready within seconds; after two minutes somebody should look.
const TRIES_MAX: u32 = 240;
const PAUSE: Duration = Duration::from_millis(500);

/// A table that does not answer at the start is not waited for for long: most likely an address or a key is wrong.
const FAILURES_MAX: u32 = 10;

impl DynamoDb {
    pub(super) async fn prepare_table(&self) -> Result<(), StoreError> {
        let (mut is_creation_allowed, mut failures) = (self.is_creation_allowed, 0);
        for _ in 0..TRIES_MAX {
            match self.describe().await {
                Ok(Some(table)) => {
                    self.check_key(&table)?;
                    match table.table_status() {
                        Some(TableStatus::Active | TableStatus::Updating) => return Ok(()),
                        Some(TableStatus::Creating | TableStatus::Deleting) | None => {}
                        Some(other) => return Err(self.unusable(&format!("is {other}"))),
                    }
                }
                Ok(None) if is_creation_allowed => {
                    self.create().await?;
                    // Once: should it be gone again, it is not ours alone.
                    is_creation_allowed = false;
                }
                Ok(None) if !self.is_creation_allowed => {
                    return Err(self.unusable("does not exist, and may not be created"));
                }
                // Made a moment ago, and not to be seen everywhere yet.
                Ok(None) => {}
                Err(error) if error.is_passing() && failures < FAILURES_MAX => failures += 1,
                Err(error) => return Err(error),
            }
            tokio::time::sleep(PAUSE).await;
        }
        Err(StoreError::Unavailable(format!("table {} is not ready after two minutes", self.table)))
    }

    async fn describe(&self) -> Result<Option<TableDescription>, StoreError> {
        match self.client.describe_table().table_name(&*self.table).send().await {
            Ok(output) => Ok(output.table),
            Err(error) => match error.as_service_error() {
                Some(DescribeTableError::ResourceNotFoundException(_)) => Ok(None),
                _ => Err(self.failed("dynamodb:DescribeTable", &error)),
            },
        }
    }

    async fn create(&self) -> Result<(), StoreError> {
        let failed = |error: &dyn std::fmt::Display| StoreError::Unusable(error.to_string());
        let key = KeySchemaElement::builder().attribute_name(schema::KEY).key_type(KeyType::Hash);
        let key = key.build().map_err(|error| failed(&error))?;
        let attribute = AttributeDefinition::builder()
            .attribute_name(schema::KEY)
            .attribute_type(ScalarAttributeType::S)
            .build()
            .map_err(|error| failed(&error))?;
        let request = self
            .client
            .create_table()
            .table_name(&*self.table)
            .key_schema(key)
            .attribute_definitions(attribute)
            .billing_mode(BillingMode::PayPerRequest);
        match request.send().await {
            Ok(_) => Ok(()),
            // Another worker was faster.
            Err(SdkError::ServiceError(error))
                if matches!(error.err(), CreateTableError::ResourceInUseException(_)) =>
            {
                Ok(())
            }
            Err(error) if error.code() == Some("LimitExceededException") => {
                Err(StoreError::Throttled)
            }
            Err(error) => Err(self.failed("dynamodb:CreateTable", &error)),
        }
    }

    fn check_key(&self, table: &TableDescription) -> Result<(), StoreError> {
        let is_hash = |key: &KeySchemaElement| {
            key.attribute_name() == schema::KEY && *key.key_type() == KeyType::Hash
        };
        let is_text = |attribute: &AttributeDefinition| {
            attribute.attribute_name() == schema::KEY
                && *attribute.attribute_type() == ScalarAttributeType::S
        };
        let is_lease_table = matches!(table.key_schema(), [key] if is_hash(key))
            && table.attribute_definitions().iter().any(is_text);
        match is_lease_table {
            true => Ok(()),
            false => Err(self.unusable("is no lease table: its key is not leaseKey (S) alone")),
        }
    }

    fn unusable(&self, what: &str) -> StoreError {
        StoreError::Unusable(format!("table {} {what}", self.table))
    }
}
