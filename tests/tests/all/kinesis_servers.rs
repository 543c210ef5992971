//! The servers of Kinesis that the tests use, held to one suite.

use flowscout_tests::{KinesisMock, Ministack, aws};

#[tokio::test]
async fn they_start_and_answer() {
    for url in
        [KinesisMock::shared().map(KinesisMock::url), Ministack::shared().map(Ministack::url)]
            .into_iter()
            .flatten()
    {
        let client = aws::kinesis_client(&url);
        client.create_stream().stream_name("s").shard_count(2).send().await.unwrap();
    }
}
