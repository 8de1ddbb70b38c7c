import PGWire
import Testing

@testable import Gateway

@Suite("Console, hostile input")
struct ConsoleHostileTests {
    private static var session: [UInt8] {
        var writer = MessageWriter()
        writer.query("BEGIN; SHOW USERS")
        writer.parse(name: "s", query: "SHOW CONNECTIONS", parameterTypes: [23])
        writer.describe(kind: .statement, name: "s")
        writer.bind(portal: "p", statement: "s", parameterFormats: [1], resultFormats: [1])
        writer.execute(portal: "p", maxRows: 5)
        writer.close(kind: .portal, name: "p")
        writer.bind(portal: "p", statement: "s", parameters: [nil])
        writer.flush()
        writer.sync()
        writer.query("ROLLBACK")
        return writer.take()
    }

    @Test("the answer does not depend on how bytes arrive")
    func splits() throws {
        let bytes = Self.session
        var whole = ConsoleScript()
        let expected = try whole.send(bytes: bytes)
        #expect(expected.last == .ready(.idle))
        for split in 1..<bytes.count {
            var script = ConsoleScript()
            let replies = try script.send(bytes: Array(bytes[..<split])) + script.send(bytes: Array(bytes[split...]))
            #expect(replies == expected, "split at \(split)")
        }
        var script = ConsoleScript()
        #expect(try bytes.flatMap { try script.send(bytes: [$0]) } == expected)
    }

    /// The body of each message, shortened and lengthened, is refused; the session survives.
    @Test("bodies of wrong length")
    func wrongLengths() throws {
        var assembler = MessageAssembler(maximumBodyLength: ConsoleLimits.messageBytes)
        assembler.append(Self.session)
        while let message = try assembler.next() {
            guard !message.body.isEmpty else { continue }
            for length in 0..<message.body.count {
                try self.expectRefusal(message.kind, Array(message.body[..<length]))
            }
            try self.expectRefusal(message.kind, message.body + [0])
        }
    }

    private func expectRefusal(_ kind: UInt8, _ body: [UInt8]) throws {
        var script = ConsoleScript()
        let replies = try script.send {
            $0.begin(kind)
            $0.raw(body)
            $0.end()
            $0.sync()
            $0.query("RELOAD")
        }
        #expect(replies.first?.sqlState == "08P01")
        #expect(replies.suffix(2) == [.complete("RELOAD"), .ready(.idle)])
        #expect(script.requests == [.reload])
    }

    @Test(
        "counts and lengths that lie",
        arguments: [
            // Bind: 32767 parameter formats, none there.
            ("B", [0, 0, 0x7f, 0xff]),
            // Bind: 32767 parameters, none there.
            ("B", [0, 0, 0, 0, 0x7f, 0xff]),
            // Bind: a parameter of 2^31-1 bytes, then of -2 bytes.
            ("B", [0, 0, 0, 0, 0, 1, 0x7f, 0xff, 0xff, 0xff]),
            ("B", [0, 0, 0, 0, 0, 1, 0xff, 0xff, 0xff, 0xfe]),
            // Bind: 32767 result formats, none there.
            ("B", [0, 0, 0, 0, 0, 0, 0x7f, 0xff]),
            // Parse: 32767 types, none there.
            ("P", [0, 0, 0x7f, 0xff]),
            // Describe and Close of an unknown kind.
            ("D", [0x51, 0]),
            ("C", [0, 0]),
        ] as [(Character, [UInt8])]
    )
    func lies(kind: Character, body: [UInt8]) throws {
        try self.expectRefusal(try #require(kind.asciiValue), body)
    }

    @Test("negative counts stand for nothing")
    func negativeCounts() throws {
        var script = ConsoleScript()
        let replies = try script.send {
            $0.begin(FrontendMessageKind.parse)
            $0.raw([0] + Array("RELOAD\0".utf8) + [0xff, 0xff])
            $0.end()
            $0.begin(FrontendMessageKind.bind)
            $0.raw([0, 0, 0xff, 0xff, 0, 0, 0xff, 0xff])
            $0.end()
            $0.sync()
        }
        #expect(replies == [.parsed, .bound, .ready(.idle)])
        var negative = ConsoleScript()
        let refused = try negative.send {
            $0.parse(name: "", query: "RELOAD")
            $0.begin(FrontendMessageKind.bind)
            $0.raw([0, 0, 0, 0, 0x80, 0, 0, 0])
            $0.end()
            $0.sync()
        }
        #expect(refused.map(\.sqlState) == [nil, "08P01", nil])
    }

    @Test("text that is not UTF-8")
    func invalidText() throws {
        var script = ConsoleScript()
        let replies = try script.send {
            $0.begin(FrontendMessageKind.query)
            $0.raw([0x53, 0xff, 0])
            $0.end()
        }
        #expect(replies.map(\.sqlState) == ["22021", nil])
        #expect(replies.last == .ready(.idle))
    }

    /// Every kind byte with every short body: answered or closed, never a trap, and the session stays usable.
    @Test("every kind of message with short bodies", arguments: UInt8.min...UInt8.max)
    func everyKind(kind: UInt8) throws {
        for body in [[], [0], [0, 0], [0xff], [0x53, 0, 0], Array(repeating: 0, count: 9)] as [[UInt8]] {
            var script = ConsoleScript()
            let replies = try script.send {
                $0.begin(kind)
                $0.raw(body)
                $0.end()
                $0.sync()
            }
            #expect(script.isClosed || replies.last == .ready(.idle))
            #expect(!replies.contains { if case .unexpected = $0 { true } else { false } })
        }
    }
}
