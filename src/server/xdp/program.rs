//! The program that the kernel runs for each frame that a device takes in: it sends queries to the workers, and
//! leaves all else to the kernel (ARP, ICMP, TCP, tagged frames, fragments, options, extension headers, what is for
//! others, and what the kernel would drop, so that it does).
//!
//! It is written as instructions, of which there are some forty and a few for each address. Numbers in frames are
//! loaded as they stand there, and compared with constants in the same order.

use std::net::{IpAddr, SocketAddr};

use super::frame::{ETHERNET, IPV4, IPV6, PROTOCOL_UDP, TYPE_IPV4, TYPE_IPV6, UDP, VERSION_4};

/// The longest frame that is taken. A longer one is longer than any query may be, and goes to the sockets.
pub(super) const MAX_FRAME: usize = ETHERNET + IPV6 + UDP + 1280;

/// The most addresses with ports whose queries are taken: the program looks at one after the other.
pub(super) const MAX_ENDPOINTS: usize = 64;

/// One instruction (`struct bpf_insn`; RFC 9669 section 3).
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Instruction {
    code: u8,
    /// The destination register in the lower half, the source register in the upper one, where bit fields begin at the
    /// lowest bit; else the other way round.
    registers: u8,
    offset: i16,
    immediate: i32,
}

/// What the program is for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Rules {
    /// The hardware address of the device.
    pub(super) hardware: [u8; 6],
    /// Where queries are answered: no wildcard addresses.
    pub(super) endpoints: Vec<SocketAddr>,
    /// Addresses of the device, and its broadcast addresses: nobody else sends from there.
    pub(super) own: Vec<IpAddr>,
}

/// The maps that the program uses.
#[derive(Clone, Copy, Debug)]
pub(super) struct Maps {
    /// An array with one value, in places of [`COUNTER_SPACE`] bytes. The first begins with four bytes that are not zero
    /// while workers answer. Each other one begins with the frames of a queue that were left to the kernel, eight bytes:
    /// a queue is received by one processor at a time, so that nobody else adds to it.
    pub(super) shared: i32,
    /// The sockets of the queues.
    pub(super) sockets: i32,
    /// The queues that have a socket.
    pub(super) queues: u32,
}

/// The bytes between what two processors write: more than a cache line has.
pub(super) const COUNTER_SPACE: usize = 1 << COUNTER_SHIFT;

const COUNTER_SHIFT: i32 = 7;

/// `XDP_PASS`: the frame goes on to the kernel's stack.
pub(super) const PASS: u32 = 2;

// The registers. The first five are given up by a call.
const RESULT: u8 = 0;
const CONTEXT: u8 = 1;
const FRAME: u8 = 2;
const END: u8 = 3;
const VALUE: u8 = 4;
/// The context again, which calls leave alone.
const KEPT_CONTEXT: u8 = 6;

// Instruction codes (RFC 9669 section 4 and 5).
const LOAD_64: u8 = 0x79;
const STORE_64: u8 = 0x7b;
const LOAD_32: u8 = 0x61;
const LOAD_16: u8 = 0x69;
const LOAD_8: u8 = 0x71;
const LOAD_CONSTANT: u8 = 0x18;
const MOVE: u8 = 0xbf;
const MOVE_CONSTANT: u8 = 0xb7;
const ADD: u8 = 0x0f;
const ADD_CONSTANT: u8 = 0x07;
const SHIFT_LEFT_CONSTANT: u8 = 0x67;
const AND_CONSTANT: u8 = 0x54;
const JUMP: u8 = 0x05;
const IF_GREATER: u8 = 0x2d;
const IF_AT_MOST: u8 = 0xbd;
const IF_EQUAL: u8 = 0x16;
const IF_NOT_EQUAL: u8 = 0x56;
const IF_AT_LEAST: u8 = 0x36;
const CALL: u8 = 0x85;
const EXIT: u8 = 0x95;

/// Marks a constant as the descriptor of a map, or of a map whose first value is meant.
const MAP: u8 = 1;
const MAP_VALUE: u8 = 2;

/// Where the context has the number of the queue (`struct xdp_md`).
const QUEUE: usize = 16;

/// The helper function `bpf_redirect_map`.
const REDIRECT_MAP: i32 = 51;

/// Makes the program.
pub(super) fn program(rules: &Rules, maps: Maps) -> Vec<Instruction> {
    let mut code = Code::default();
    code.push(MOVE, KEPT_CONTEXT, CONTEXT, 0, 0);
    code.load(LOAD_32, FRAME, CONTEXT, 0);
    code.load(LOAD_32, END, CONTEXT, 4);
    code.needs(ETHERNET + IPV4 + UDP);
    code.push(MOVE, VALUE, FRAME, 0, 0);
    code.push(ADD_CONSTANT, VALUE, 0, 0, MAX_FRAME as i32 + 1);
    code.jump_to(Label::Pass, IF_AT_MOST, VALUE, END, 0);
    code.push(LOAD_CONSTANT, VALUE, MAP_VALUE, 0, maps.shared);
    code.push(0, 0, 0, 0, 0);
    code.load(LOAD_32, VALUE, VALUE, 0);
    code.pass_if(IF_EQUAL, 0);
    let [a, b, c, d, e, f] = rules.hardware;
    code.pass_unless_equal(LOAD_32, 0, i32::from_ne_bytes([a, b, c, d]));
    code.pass_unless_equal(LOAD_16, 4, word([e, f]));
    code.load(LOAD_16, VALUE, FRAME, 12);
    code.jump_to(Label::Ipv4, IF_EQUAL, VALUE, 0, word(TYPE_IPV4));
    code.pass_if(IF_NOT_EQUAL, word(TYPE_IPV6));
    code.ipv6(rules);
    code.place(Label::Ipv4);
    code.ipv4(rules);
    code.place(Label::Taken);
    code.load(LOAD_32, FRAME, CONTEXT, QUEUE);
    code.push(LOAD_CONSTANT, CONTEXT, MAP, 0, maps.sockets);
    code.push(0, 0, 0, 0, 0);
    code.push(MOVE_CONSTANT, END, 0, 0, PASS as i32);
    code.push(CALL, 0, 0, 0, REDIRECT_MAP);
    code.jump_to(Label::Pass, IF_EQUAL, RESULT, 0, PASS as i32);
    code.push(EXIT, 0, 0, 0, 0);
    code.place(Label::Pass);
    code.load(LOAD_32, VALUE, KEPT_CONTEXT, QUEUE);
    code.jump_to(Label::Counted, IF_AT_LEAST, VALUE, 0, maps.queues as i32);
    code.push(SHIFT_LEFT_CONSTANT, VALUE, 0, 0, COUNTER_SHIFT);
    code.push(LOAD_CONSTANT, FRAME, MAP_VALUE, 0, maps.shared);
    code.push(0, 0, 0, 0, COUNTER_SPACE as i32);
    code.push(ADD, FRAME, VALUE, 0, 0);
    code.load(LOAD_64, VALUE, FRAME, 0);
    code.push(ADD_CONSTANT, VALUE, 0, 0, 1);
    code.push(STORE_64, FRAME, VALUE, 0, 0);
    code.place(Label::Counted);
    code.push(MOVE_CONSTANT, RESULT, 0, 0, PASS as i32);
    code.push(EXIT, 0, 0, 0, 0);
    code.finish()
}

/// A number of two bytes that is compared with what [`LOAD_16`] gives.
fn word(bytes: [u8; 2]) -> i32 {
    u16::from_ne_bytes(bytes).into()
}

/// A place that is jumped to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Label {
    /// Gives the frame to the kernel, and counts it.
    Pass,
    /// The same when it is counted, or of a queue that has come later.
    Counted,
    /// Sends it to the worker of its queue.
    Taken,
    /// Where IPv4 begins.
    Ipv4,
    /// The comparison behind one of an address.
    Next(usize),
}

/// Instructions, of which some jump to places that come later.
#[derive(Default)]
struct Code {
    instructions: Vec<Instruction>,
    jumps: Vec<(usize, Label)>,
    comparisons: usize,
}

impl Code {
    fn push(&mut self, code: u8, destination: u8, source: u8, offset: i16, immediate: i32) {
        let registers = match cfg!(target_endian = "little") {
            true => source << 4 | destination,
            false => destination << 4 | source,
        };
        self.instructions.push(Instruction { code, registers, offset, immediate });
    }

    fn load(&mut self, code: u8, destination: u8, source: u8, at: usize) {
        self.push(code, destination, source, at as i16, 0);
    }

    fn jump_to(&mut self, label: Label, code: u8, left: u8, right: u8, immediate: i32) {
        self.jumps.push((self.instructions.len(), label));
        self.push(code, left, right, 0, immediate);
    }

    /// Lets the jumps to a label lead to the next instruction. All come before it: a program has no loops.
    fn place(&mut self, label: Label) {
        let next = self.instructions.len();
        self.jumps.retain(|&(from, to)| {
            if to == label {
                self.instructions[from].offset = (next - from - 1) as i16;
            }
            to != label
        });
    }

    fn finish(self) -> Vec<Instruction> {
        assert!(self.jumps.is_empty(), "jumps to nowhere: {:?}", self.jumps);
        self.instructions
    }

    /// Leaves frames to the kernel that are shorter.
    fn needs(&mut self, bytes: usize) {
        self.push(MOVE, VALUE, FRAME, 0, 0);
        self.push(ADD_CONSTANT, VALUE, 0, 0, bytes as i32);
        self.jump_to(Label::Pass, IF_GREATER, VALUE, END, 0);
    }

    /// Compares what was loaded with a constant.
    fn pass_if(&mut self, code: u8, immediate: i32) {
        self.jump_to(Label::Pass, code, VALUE, 0, immediate);
    }

    fn pass_unless_equal(&mut self, load: u8, at: usize, immediate: i32) {
        self.load(load, VALUE, FRAME, at);
        self.pass_if(IF_NOT_EQUAL, immediate);
    }

    fn pass_if_masked(&mut self, load: u8, at: usize, mask: i32, comparison: u8, value: i32) {
        self.load(load, VALUE, FRAME, at);
        self.push(AND_CONSTANT, VALUE, 0, 0, mask);
        self.pass_if(comparison, value);
    }

    fn ipv4(&mut self, rules: &Rules) {
        const SOURCE: usize = ETHERNET + 12;
        const DESTINATION: usize = ETHERNET + 16;
        self.pass_unless_equal(LOAD_8, ETHERNET, VERSION_4.into());
        self.pass_unless_equal(LOAD_8, ETHERNET + 9, PROTOCOL_UDP.into());
        let fragment = word(0x3fff_u16.to_be_bytes());
        self.pass_if_masked(LOAD_16, ETHERNET + 6, fragment, IF_NOT_EQUAL, 0);
        // RFC 1122 section 3.2.1.3: no source is in 0.0.0.0/8 or 127.0.0.0/8, nor from 224.0.0.0 on.
        self.load(LOAD_8, VALUE, FRAME, SOURCE);
        self.pass_if(IF_EQUAL, 0);
        self.pass_if(IF_EQUAL, 127);
        self.pass_if(IF_AT_LEAST, 224);
        self.own(rules, SOURCE, IpAddr::is_ipv4);
        self.ports_and_destination(rules, ETHERNET + IPV4, DESTINATION, IpAddr::is_ipv4);
    }

    fn ipv6(&mut self, rules: &Rules) {
        const SOURCE: usize = ETHERNET + 8;
        const DESTINATION: usize = ETHERNET + 24;
        self.needs(ETHERNET + IPV6 + UDP);
        self.pass_if_masked(LOAD_8, ETHERNET, 0xf0, IF_NOT_EQUAL, 0x60);
        self.pass_unless_equal(LOAD_8, ETHERNET + 6, PROTOCOL_UDP.into());
        // No checksum: the kernel drops it.
        self.load(LOAD_16, VALUE, FRAME, ETHERNET + IPV6 + 6);
        self.pass_if(IF_EQUAL, 0);
        // Unspecified, loopback, mapped and compatible addresses (RFC 4291 section 2.5) begin with zeros.
        self.load(LOAD_32, VALUE, FRAME, SOURCE);
        self.pass_if(IF_EQUAL, 0);
        // Multicast, and link-local ones, which mean nothing without their link.
        self.load(LOAD_8, VALUE, FRAME, SOURCE);
        self.pass_if(IF_EQUAL, 0xff);
        let link_local = word([0xfe, 0x80]);
        self.pass_if_masked(LOAD_16, SOURCE, word([0xff, 0xc0]), IF_EQUAL, link_local);
        self.own(rules, SOURCE, IpAddr::is_ipv6);
        self.ports_and_destination(rules, ETHERNET + IPV6, DESTINATION, IpAddr::is_ipv6);
    }

    /// Leaves frames to the kernel that claim to be from here.
    fn own(&mut self, rules: &Rules, at: usize, of_family: fn(&IpAddr) -> bool) {
        for address in rules.own.iter().filter(|address| of_family(address)) {
            let next = self.if_address(*address, at);
            self.jump_to(Label::Pass, JUMP, 0, 0, 0);
            self.place(next);
        }
    }

    /// Leaves frames to the kernel that are for no endpoint.
    fn ports_and_destination(
        &mut self,
        rules: &Rules,
        udp: usize,
        destination: usize,
        of_family: fn(&IpAddr) -> bool,
    ) {
        self.load(LOAD_16, VALUE, FRAME, udp);
        self.pass_if(IF_EQUAL, 0);
        for endpoint in rules.endpoints.iter().filter(|endpoint| of_family(&endpoint.ip())) {
            let next = self.if_address(endpoint.ip(), destination);
            self.load(LOAD_16, VALUE, FRAME, udp + 2);
            self.jump_to(next, IF_NOT_EQUAL, VALUE, 0, word(endpoint.port().to_be_bytes()));
            self.jump_to(Label::Taken, JUMP, 0, 0, 0);
            self.place(next);
        }
        self.jump_to(Label::Pass, JUMP, 0, 0, 0);
    }

    /// What follows, up to the label that is returned, is for frames with this address.
    fn if_address(&mut self, address: IpAddr, at: usize) -> Label {
        let next = Label::Next(self.comparisons);
        self.comparisons += 1;
        let octets = match address {
            IpAddr::V4(address) => address.octets().to_vec(),
            IpAddr::V6(address) => address.octets().to_vec(),
        };
        for (number, &part) in octets.as_chunks::<4>().0.iter().enumerate() {
            self.load(LOAD_32, VALUE, FRAME, at + 4 * number);
            self.jump_to(next, IF_NOT_EQUAL, VALUE, 0, i32::from_ne_bytes(part));
        }
        next
    }
}

#[cfg(test)]
mod tests;
