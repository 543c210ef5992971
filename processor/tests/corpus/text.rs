//! Any bytes as lines: the kernel reads them as the slow way does, with each instruction set that the machine has.

use flowscout::decode::{Instructions, Oddities, Splitter, TextParser, lines, parse_line};
use flowscout::flow::Layout;

const FORMATS: [&str; 8] = [
    "${version} ${account-id} ${interface-id} ${srcaddr} ${dstaddr} ${srcport} ${dstport} ${protocol} ${packets} \
     ${bytes} ${start} ${end} ${action} ${log-status}",
    "${account-id} ${action} ${az-id} ${bytes} ${dstaddr} ${dstport} ${end} ${flow-direction} ${instance-id} \
     ${interface-id} ${log-status} ${packets} ${pkt-dst-aws-service} ${pkt-dstaddr} ${pkt-src-aws-service} \
     ${pkt-srcaddr} ${protocol} ${region} ${srcaddr} ${srcport} ${start} ${sublocation-id} ${sublocation-type} \
     ${subnet-id} ${tcp-flags} ${traffic-path} ${type} ${version} ${vpc-id}",
    "${srcaddr} ${dstaddr} ${end}",
    "${end} ${tcp-flags} ${pkt-dstaddr} ${dstaddr} ${srcaddr}",
    "${srcaddr}",
    "${end}",
    "${log-status}",
    "${action} ${some-new-field} ${pkt-srcaddr} ${pkt-dstaddr} ${start} ${log-status} ${interface-id}",
];

/// The first byte chooses the layout, and whether the rest is repeated until it fills several stretches of the kernel.
pub(crate) fn check(input: &[u8]) {
    let Some((first, text)) = input.split_first() else { return };
    let layout =
        Layout::from_format(FORMATS[usize::from(first % 8)]).expect("the formats are good");
    let text =
        if first & 0x80 == 0 { text.to_vec() } else { text.repeat(40_000 / (text.len() + 1)) };
    let (mut splitter, mut oddities) = <(Splitter, Oddities)>::default();
    let slow: Vec<_> = lines(&text, 0)
        .map(|(number, line)| {
            (number, line, parse_line(line, &layout, &mut splitter, &mut oddities))
        })
        .collect();
    for mut parser in Instructions::ALL.into_iter().filter_map(TextParser::with_instructions) {
        let (mut seen, mut seen_oddities) = (Vec::new(), Oddities::default());
        parser.parse(&text, &layout, &mut seen_oddities, &mut |number, line, read| {
            seen.push((number, line, read));
        });
        assert_eq!(seen, slow, "{parser:?}");
        assert_eq!(seen_oddities, oddities, "{parser:?}");
        let mut seen_oddities = Oddities::default();
        for (_, line, read) in &slow {
            assert_eq!(parser.parse_line(line, &layout, &mut seen_oddities), *read, "{parser:?}");
        }
        assert_eq!(seen_oddities, oddities, "{parser:?}");
    }
}
