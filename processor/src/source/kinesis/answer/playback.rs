//! An answer that was read, handed to the SDK member by member as its interface for wire formats wants it.

use aws_smithy_schema::Schema;
use aws_smithy_schema::serde::{SerdeError, ShapeDeserializer, capped_container_size};
use aws_smithy_types::{BigDecimal, BigInteger, Blob, DateTime, Document};
use bytes::Bytes;

use super::{Answer, Record};

/// Plays an answer back.
pub(super) struct Playback<'b> {
    answer: Answer<'b>,
    /// What the SDK reads next.
    value: Value<'b>,
}

#[derive(Clone)]
enum Value<'b> {
    Answer,
    Records,
    /// The record of this number.
    Record(usize),
    Text(&'b str),
    Number(i64),
    Seconds(f64),
    Data(Bytes),
}

type Member<'s> =
    &'s mut dyn FnMut(&Schema<'_>, &mut dyn ShapeDeserializer) -> Result<(), SerdeError>;
type Element<'s> = &'s mut dyn FnMut(&mut dyn ShapeDeserializer) -> Result<(), SerdeError>;

impl<'b> Playback<'b> {
    pub(super) fn new(answer: Answer<'b>) -> Self {
        Self { answer, value: Value::Answer }
    }

    /// The member of that name, if the answer has it.
    fn member(&self, of: &Value<'b>, name: &str) -> Option<Value<'b>> {
        let Value::Record(number) = of else {
            return match name {
                "Records" => self.answer.records.as_ref().map(|_| Value::Records),
                "NextShardIterator" => self.answer.next_shard_iterator.map(Value::Text),
                "MillisBehindLatest" => self.answer.millis_behind_latest.map(Value::Number),
                _ => None,
            };
        };
        let record: &Record<'b> = self.answer.records.as_ref()?.get(*number)?;
        match name {
            "SequenceNumber" => record.sequence_number.map(Value::Text),
            "ApproximateArrivalTimestamp" => record.arrival_s.map(Value::Seconds),
            "Data" => {
                record.data.clone().map(|range| Value::Data(self.answer.payloads.slice(range)))
            }
            "PartitionKey" => record.partition_key.map(Value::Text),
            "EncryptionType" => record.encryption_type.map(Value::Text),
            _ => None,
        }
    }
}

/// The answer was checked before; only a model that has changed its types gets here.
fn unexpected<T>() -> Result<T, SerdeError> {
    Err(SerdeError::type_mismatch("a member of GetRecords has another type than it had"))
}

impl ShapeDeserializer for Playback<'_> {
    fn read_struct(&mut self, schema: &Schema<'_>, state: Member<'_>) -> Result<(), SerdeError> {
        if !matches!(self.value, Value::Answer | Value::Record(_)) {
            return unexpected();
        }
        let of = self.value.clone();
        for member in schema.members() {
            if let Some(value) = member.member_name().and_then(|name| self.member(&of, name)) {
                self.value = value;
                state(member, self)?;
            }
        }
        Ok(())
    }

    fn read_list(&mut self, _: &Schema<'_>, state: Element<'_>) -> Result<(), SerdeError> {
        if !matches!(self.value, Value::Records) {
            return unexpected();
        }
        for number in 0..self.answer.records.as_ref().map_or(0, Vec::len) {
            self.value = Value::Record(number);
            state(self)?;
        }
        Ok(())
    }

    fn read_string(&mut self, _: &Schema<'_>) -> Result<String, SerdeError> {
        if let Value::Text(text) = self.value { Ok(text.to_owned()) } else { unexpected() }
    }

    fn read_long(&mut self, _: &Schema<'_>) -> Result<i64, SerdeError> {
        if let Value::Number(number) = self.value { Ok(number) } else { unexpected() }
    }

    fn read_timestamp(&mut self, _: &Schema<'_>) -> Result<DateTime, SerdeError> {
        match self.value {
            Value::Seconds(seconds) => Ok(DateTime::from_secs_f64(seconds)),
            _ => unexpected(),
        }
    }

    fn read_blob(&mut self, _: &Schema<'_>) -> Result<Blob, SerdeError> {
        match std::mem::replace(&mut self.value, Value::Answer) {
            Value::Data(data) => Ok(Blob::from_maybe_shared(data)),
            _ => unexpected(),
        }
    }

    fn container_size(&self) -> Option<usize> {
        self.answer.records.as_ref().map(|records| capped_container_size(records.len()))
    }

    fn is_null(&self) -> bool {
        false
    }

    fn skip_value(&mut self) -> Result<(), SerdeError> {
        Ok(())
    }

    fn read_map(
        &mut self,
        _: &Schema<'_>,
        _: &mut dyn FnMut(String, &mut dyn ShapeDeserializer) -> Result<(), SerdeError>,
    ) -> Result<(), SerdeError> {
        unexpected()
    }

    fn read_boolean(&mut self, _: &Schema<'_>) -> Result<bool, SerdeError> {
        unexpected()
    }

    fn read_byte(&mut self, _: &Schema<'_>) -> Result<i8, SerdeError> {
        unexpected()
    }

    fn read_short(&mut self, _: &Schema<'_>) -> Result<i16, SerdeError> {
        unexpected()
    }

    fn read_integer(&mut self, _: &Schema<'_>) -> Result<i32, SerdeError> {
        unexpected()
    }

    fn read_float(&mut self, _: &Schema<'_>) -> Result<f32, SerdeError> {
        unexpected()
    }

    fn read_double(&mut self, _: &Schema<'_>) -> Result<f64, SerdeError> {
        unexpected()
    }

    fn read_big_integer(&mut self, _: &Schema<'_>) -> Result<BigInteger, SerdeError> {
        unexpected()
    }

    fn read_big_decimal(&mut self, _: &Schema<'_>) -> Result<BigDecimal, SerdeError> {
        unexpected()
    }

    fn read_document(&mut self, _: &Schema<'_>) -> Result<Document, SerdeError> {
        unexpected()
    }
}
