import PGWire
@testable import Sessions
import Testing

/// Messages that are not what they should be.
@Suite struct HostileBatchTests {
    private static let extended: [Character] = ["P", "B", "D", "E", "C"]

    /// Everything of up to three bytes that could mean something.
    private static var shortBodies: [[UInt8]] {
        let letters: [UInt8] = [0, 0x53, 0x50, 0x61]
        var bodies: [[UInt8]] = [[]]
        var longest = bodies
        for _ in 0..<3 {
            longest = longest.flatMap { body in letters.map { body + [$0] } }
            bodies += longest
        }
        return bodies
    }

    @Test func lengthsOutOfRangeEndTheConnection() {
        for kind in Self.extended + ["S", "H", "Q", "F", "d", "c", "f"] {
            for length in [Int32.min, .min + 1, -5, -1, 0, 1, 2, 3, 0x4000_0004, .max - 1, .max] {
                let feed = BatchFeed()
                feed.read(header(kind, length: length))
                guard case .invalidLength = feed.stop else {
                    Issue.record("\(kind) of length \(length): \(String(describing: feed.stop))")
                    continue
                }
                #expect(feed.sent.isEmpty)
                #expect(feed.server.script.isEmpty)
            }
        }
    }

    /// As PostgreSQL has it: messages that carry no data are short.
    @Test func longMessagesWithoutDataEndTheConnection() {
        for kind: Character in ["D", "E", "C", "S", "H"] {
            let feed = BatchFeed()
            feed.read(header(kind, length: 10_001))
            guard case .invalidLength = feed.stop else {
                Issue.record("\(kind) is too long")
                continue
            }
        }
    }

    @Test func unknownKindsEndTheConnection() {
        for kind in UInt8.min...UInt8.max where !FrontendScanner.isKnown(kind) {
            let feed = BatchFeed()
            feed.read([kind])
            guard case .invalidKind = feed.stop else {
                Issue.record("\(kind) is not a message")
                continue
            }
        }
    }

    /// PostgreSQL is to judge them: one that fails there fails here, one that does not is answered the same.
    @Test func shortBodiesAreAnsweredAsPostgreSQLDoes() {
        for kind in Self.extended {
            for body in Self.shortBodies {
                let model = MachineModel(MachineModel.Shape())
                let talks: [Talk] = [.parse("a", "select 1"), .raw(kind, body), .parse("b", "select 2"), .sync]
                model.run(ModelStep(client: 0, talks: talks, pace: UInt64(body.count)))
                model.finish()
                #expect(model.falsehood == nil, "\(kind) \(body)")
            }
        }
    }

    @Test func malformedBodiesOfAnyLengthAreAnsweredAsPostgreSQLDoes() {
        let whole: [Talk] = [
            .parse("name", "select $1", [23, 25]), .bind("portal", "name", ["1"]), .describe(.statement, "name"),
            .describe(.portal, "portal"), .execute("portal"), .close(.statement, "name"),
        ]
        for talk in whole {
            let kind = Character(UnicodeScalar(talk.bytes[0]))
            let body = Array(talk.bytes.dropFirst(MessageHeader.size))
            let bodies = (0..<body.count).map { Array(body.prefix($0)) } + [body + [0], body + [1, 2, 3]]
            for body in bodies {
                let model = MachineModel(MachineModel.Shape())
                let before: [Talk] = [.parse("name", "select $1"), .bind("portal", "name", ["1"])]
                model.run(ModelStep(client: 0, talks: before + [.raw(kind, body), .sync], pace: UInt64(body.count)))
                model.finish()
                #expect(model.falsehood == nil, "\(talk) cut to \(body.count)")
            }
        }
    }

    // MARK: Pieces

    /// However the bytes come, the same goes to the server and the same is due.
    @Test func splitsMakeNoDifference() {
        let long = String(repeating: "n", count: 70)
        let streams: [[UInt8]] = [
            bytes(of: .parse("a", "select $1", [23]), .bind("p", "a", ["1"]), .describe(.portal, "p"), .sync),
            bytes(of: .parse(long, "select 1"), .describe(.statement, long), .bind("", long), .execute(""), .flush),
            bytes(of: .bind("", "nobody"), .sync, .bind("", "pggateway_1"), .sync),
            bytes(of: .describe(.statement, "pggateway_2"), .sync, .describe(.statement, "nobody"), .sync),
            bytes(of: .parse("", "select 1"), .bind("", ""), .execute(""), .close(.statement, ""), .sync, .flush),
            bytes(of: .raw("P", [0]), .raw("B", [0x61, 0]), .raw("D", [0x58, 0]), .raw("E", [0]), .raw("C", [])),
        ]
        for stream in streams {
            let expected = BatchFeed(reading: [stream])
            #expect(expected.stop == nil)
            for chunks in splits(of: stream, randomCount: 20) {
                let feed = BatchFeed(reading: chunks)
                #expect(feed.sent == expected.sent)
                #expect(feed.pending == expected.pending)
                #expect(feed.answered == expected.answered)
                #expect(LedgerState(feed.ledger) == LedgerState(expected.ledger))
            }
        }
    }

    // MARK: Sizes

    /// A pipeline without end waits for its answers; nothing piles up here.
    @Test func aPipelineWithoutEndIsHeld() {
        let feed = BatchFeed()
        feed.read((0..<20_000).flatMap { _ in Talk.execute("").bytes })
        #expect(feed.isHeld)
        #expect(feed.pending.count == AnswerScript.tokensMax)
        // With the server's first answers it goes on.
        feed.answer("C")
        #expect(feed.pending.count == AnswerScript.tokensMax)
    }

    @Test func namesWithoutEndAreNotWaitedFor() {
        for prefix in [[], Array("portal\0".utf8)] {
            let feed = BatchFeed()
            feed.read(header("B", length: 0x3fff_ffff) + prefix + Array(repeating: 0x61, count: 9000))
            guard case .nameTooLong = feed.stop else {
                Issue.record("waits for the end of a name")
                continue
            }
        }
        // Not long yet.
        let feed = BatchFeed()
        feed.read(header("B", length: 0x3fff_ffff) + Array(repeating: 0x61, count: 100))
        #expect(feed.stop == nil)
        #expect(feed.sent.isEmpty)
    }

    /// Values pass as they come, however many are announced.
    @Test func aHugeBindPassesInPieces() {
        let feed = BatchFeed()
        feed.read(bytes(of: .parse("a", "select $1"), .sync))
        feed.answer("1Z")
        _ = feed.takeSent()
        feed.read(header("B", length: 0x3fff_ffff) + Array("\0a\0".utf8))
        let name = feed.serverName("a") ?? ""
        let length = 0x3fff_ffff + Int32(name.utf8.count - 1)
        #expect(feed.takeSent() == header("B", length: length) + Array("\0\(name)\0".utf8))
        for piece in [[1, 2, 3], [4]] as [[UInt8]] {
            feed.read(piece)
            #expect(feed.takeSent() == piece)
        }
        #expect(!feed.scanner.isAtBoundary)
        #expect(feed.pending == [.bind])
    }

    /// A statement that is too long is refused before it is read, and skipped.
    @Test func aHugeParseIsRefused() {
        let feed = BatchFeed()
        feed.read(header("P", length: 0x3fff_ffff))
        #expect(feed.sent == frame("D", Array("Spggateway_refused\0".utf8)))
        _ = feed.takeSent()
        feed.read(Array(repeating: 0x61, count: 1000))
        #expect(feed.sent.isEmpty)
        #expect(feed.stop == nil)
        #expect(feed.fail(.invalidStatementName).substitute != nil)
    }

    @Test func aLongParseIsCollected() {
        let feed = BatchFeed()
        feed.read(header("P", length: 40_000) + [0x61, 0])
        guard case .collect = feed.stop else {
            Issue.record("is not collected")
            return
        }
        #expect(feed.sent.isEmpty)
    }
}
