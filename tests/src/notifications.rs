//! A bucket whose new objects a queue of SQS is told of, on a server of a test: set up as a user would, by the protocols of AWS.

mod request;

use std::fmt::Write as _;

use aws_sdk_sqs::types::{MessageSystemAttributeName, QueueAttributeName};
use tokio::runtime::Runtime;

use crate::{Program, aws};
use request::{elements, encoded, request};

/// How S3 tells the queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Route {
    /// Directly.
    Direct,
    /// Through a topic of SNS.
    Sns,
    /// Through a topic of SNS that hands on what it was given.
    SnsRaw,
    /// Through a rule of EventBridge.
    EventBridge,
    /// Through a rule of EventBridge and a topic of SNS.
    EventBridgeSns,
}

/// The bucket and the queue.
#[derive(Debug)]
pub struct Notifications {
    server: String,
    bucket: String,
    queue_url: String,
    client: aws_sdk_sqs::Client,
    runtime: Runtime,
}

/// A message that was received.
#[derive(Clone, Debug)]
pub struct Received {
    /// What it says.
    pub body: String,
    /// How often it was received, this time included.
    pub receives: u32,
}

/// Prefix of the events that are told of.
const CREATED: &str = "s3:ObjectCreated:*";

impl Notifications {
    /// Makes the bucket, the queue, both of this name, and the way between them.
    #[must_use]
    pub fn new(server: &str, bucket: &str, route: Route) -> Self {
        let notifications = Self::without_events(server, bucket);
        notifications.connect(route);
        notifications
    }

    /// Makes a bucket and a queue that know nothing of each other.
    #[must_use]
    pub fn without_events(server: &str, bucket: &str) -> Self {
        let (runtime, client) = (Runtime::new().unwrap(), aws::sqs_client(server));
        let create = client.create_queue().queue_name(bucket);
        // Whoever is told to send, may.
        let policy = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"sqs:SendMessage","Resource":"*"}]}"#;
        let create = create.attributes(QueueAttributeName::Policy, policy);
        let created = runtime.block_on(create.send()).unwrap();
        let notifications = Self {
            server: server.to_owned(),
            bucket: bucket.to_owned(),
            queue_url: created.queue_url.unwrap(),
            client,
            runtime,
        };
        notifications.s3("PUT", "", b"");
        notifications
    }

    /// Address of the queue.
    #[must_use]
    pub fn queue_url(&self) -> &str {
        &self.queue_url
    }

    /// Name of the bucket.
    #[must_use]
    pub fn bucket(&self) -> &str {
        &self.bucket
    }

    /// `program` with the server of these as its S3 and its SQS.
    #[must_use]
    pub fn serve(&self, program: Program) -> Program {
        let program = aws::with_credentials(program).env("AWS_ENDPOINT_URL_SQS", &self.server);
        program.env("AWS_ENDPOINT_URL_S3", &self.server)
    }

    /// Puts an object.
    pub fn put(&self, key: &str, content: &[u8]) {
        self.s3("PUT", &format!("/{}", encoded(key)), content);
    }

    /// Deletes an object.
    pub fn delete(&self, key: &str) {
        self.s3("DELETE", &format!("/{}", encoded(key)), b"");
    }

    /// What S3 says of a new object, in a message of this queue; the object need not be there.
    pub fn tell_of(&self, keys: &[&str]) {
        let mut records = String::new();
        for key in keys {
            let separator = if records.is_empty() { "" } else { "," };
            let (bucket, key) = (&self.bucket, encoded(key));
            write!(
                records,
                r#"{separator}{{"eventVersion":"2.5","eventSource":"aws:s3","awsRegion":"us-east-1","eventName":"ObjectCreated:Put","s3":{{"bucket":{{"name":"{bucket}"}},"object":{{"key":"{key}","size":1024,"eTag":"-"}}}}}}"#
            )
            .unwrap();
        }
        self.send(&format!(r#"{{"Records":[{records}]}}"#));
    }

    /// Sends a message.
    pub fn send(&self, body: &str) {
        let send = self.client.send_message().queue_url(&self.queue_url).message_body(body);
        self.runtime.block_on(send.send()).unwrap();
    }

    /// Messages that can be received now, and those that are hidden from all but who received them.
    #[must_use]
    pub fn depth(&self) -> (u64, u64) {
        let ask = self.client.get_queue_attributes().queue_url(&self.queue_url);
        let ask = ask.attribute_names(QueueAttributeName::All);
        let answer = self.runtime.block_on(ask.send()).unwrap().attributes.unwrap();
        let number = |name| answer[&name].parse().unwrap();
        (
            number(QueueAttributeName::ApproximateNumberOfMessages),
            number(QueueAttributeName::ApproximateNumberOfMessagesNotVisible),
        )
    }

    /// What another reader is given now: up to ten messages, which are seen again at once.
    #[must_use]
    pub fn peek(&self) -> Vec<Received> {
        let ask = self.client.receive_message().queue_url(&self.queue_url);
        let ask = ask.max_number_of_messages(10).visibility_timeout(0);
        let name = MessageSystemAttributeName::ApproximateReceiveCount;
        let ask = ask.message_system_attribute_names(name.clone());
        let messages = self.runtime.block_on(ask.send()).unwrap().messages.unwrap_or_default();
        let received = |message: aws_sdk_sqs::types::Message| Received {
            body: message.body.unwrap(),
            receives: message.attributes.unwrap()[&name].parse().unwrap(),
        };
        messages.into_iter().map(received).collect()
    }

    fn queue_arn(&self) -> String {
        let ask = self.client.get_queue_attributes().queue_url(&self.queue_url);
        let ask = ask.attribute_names(QueueAttributeName::QueueArn);
        let mut answer = self.runtime.block_on(ask.send()).unwrap().attributes.unwrap();
        answer.remove(&QueueAttributeName::QueueArn).unwrap()
    }

    fn connect(&self, route: Route) {
        let queue = self.queue_arn();
        match route {
            Route::Direct => self.notify(&format!(
                "<QueueConfiguration><Queue>{queue}</Queue><Event>{CREATED}</Event></QueueConfiguration>"
            )),
            Route::Sns | Route::SnsRaw => {
                let topic = self.topic(&queue, route == Route::SnsRaw);
                self.notify(&format!(
                    "<TopicConfiguration><Topic>{topic}</Topic><Event>{CREATED}</Event></TopicConfiguration>"
                ));
            }
            Route::EventBridge => self.rule(&queue),
            Route::EventBridgeSns => self.rule(&self.topic(&queue, false)),
        }
    }

    fn notify(&self, configuration: &str) {
        let body =
            format!("<NotificationConfiguration>{configuration}</NotificationConfiguration>");
        self.s3("PUT", "?notification", body.as_bytes());
    }

    /// A topic that the queue has subscribed.
    fn topic(&self, queue: &str, is_raw: bool) -> String {
        let name = &self.bucket;
        let policy = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"sns:Publish","Resource":"*"}]}"#;
        let created = self.sns(&format!(
            "Action=CreateTopic&Name={name}&Attributes.entry.1.key=Policy&Attributes.entry.1.value={}",
            encoded(policy)
        ));
        let topic = elements(&created, "TopicArn").remove(0);
        let subscribe = format!(
            "Action=Subscribe&TopicArn={}&Protocol=sqs&Endpoint={}&ReturnSubscriptionArn=true&\
             Attributes.entry.1.key=RawMessageDelivery&Attributes.entry.1.value={is_raw}",
            encoded(&topic),
            encoded(queue)
        );
        self.sns(&subscribe);
        topic
    }

    fn sns(&self, form: &str) -> String {
        let form = format!("{form}&Version=2010-03-31");
        let kind = ("Content-Type", "application/x-www-form-urlencoded");
        request(&self.server, "POST", "/", "sns", &[kind], form.as_bytes())
    }

    /// A rule for new objects of the bucket.
    fn rule(&self, target: &str) {
        self.notify("<EventBridgeConfiguration></EventBridgeConfiguration>");
        let name = &self.bucket;
        let pattern = format!(
            r#"{{\"source\":[\"aws.s3\"],\"detail-type\":[\"Object Created\"],\"detail\":{{\"bucket\":{{\"name\":[\"{name}\"]}}}}}}"#
        );
        self.events("PutRule", &format!(r#"{{"Name":"{name}","EventPattern":"{pattern}"}}"#));
        self.events(
            "PutTargets",
            &format!(r#"{{"Rule":"{name}","Targets":[{{"Id":"1","Arn":"{target}"}}]}}"#),
        );
    }

    fn events(&self, action: &str, body: &str) {
        let target = format!("AWSEvents.{action}");
        let headers =
            [("Content-Type", "application/x-amz-json-1.1"), ("X-Amz-Target", target.as_str())];
        let answer = request(&self.server, "POST", "/", "events", &headers, body.as_bytes());
        assert!(!answer.contains("\"FailedEntryCount\":1"), "{answer}");
    }

    fn s3(&self, method: &str, rest: &str, body: &[u8]) {
        let path = format!("/{}{rest}", self.bucket);
        request(&self.server, method, &path, "s3", &[], body);
    }
}
