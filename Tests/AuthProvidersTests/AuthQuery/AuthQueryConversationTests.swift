import PGWire
import Testing

@testable import AuthProviders

/// Answers of a server, honest and otherwise.
@Suite struct AuthQueryConversationTests {
    private static func message(_ kind: Character, _ body: [UInt8] = []) -> WireMessage {
        WireMessage(kind: kind.asciiValue ?? 0, body: body)
    }

    private static func big(_ number: Int, _ bytes: Int) -> [UInt8] {
        (0..<bytes).reversed().map { UInt8(truncatingIfNeeded: number >> ($0 * 8)) }
    }

    private static func columns(_ names: String...) -> WireMessage {
        let columns = names.flatMap { Array($0.utf8) + [UInt8](repeating: 0, count: 19) }
        return Self.message("T", Self.big(names.count, 2) + columns)
    }

    private static func row(_ values: String?...) -> WireMessage {
        let parts = values.map { value in
            value.map { Self.big($0.utf8.count, 4) + Array($0.utf8) } ?? Self.big(-1, 4)
        }
        return Self.message("D", Self.big(values.count, 2) + parts.flatMap { $0 })
    }

    private static func error(_ code: String) -> WireMessage {
        Self.message("E", Array("SERROR\0VERROR\0C\(code)\0Mwhat the server says\0\0".utf8))
    }

    private static let ready = Self.message("Z", [UInt8(ascii: "I")])

    /// The step that ends the conversation, and how many messages it took.
    private static func play(_ messages: [WireMessage], rowsMax: Int = 2) -> (AuthQueryConversation.Step, Int) {
        var conversation = AuthQueryConversation(rowsMax: rowsMax)
        for (index, message) in messages.enumerated() {
            let step = conversation.receive(message)
            if step != .wait { return (step, index + 1) }
        }
        return (.wait, messages.count)
    }

    @Test func aRow() {
        let messages = [
            Self.message("1"), Self.message("2"), Self.columns("passwd", "x"), Self.row("secret", nil),
            Self.message("N", []), Self.message("S", []), Self.message("C", []), Self.ready,
        ]
        let rows = AuthQueryRows(columns: ["passwd", "x"], rows: [[Array("secret".utf8), nil]])
        #expect(Self.play(messages) == (.done(.rows(rows)), 8))
    }

    @Test func noRowAndNoColumns() {
        let none = Self.play([Self.columns("a"), Self.message("C"), Self.ready])
        #expect(none == (.done(.rows(AuthQueryRows(columns: ["a"], rows: []))), 3))
        guard case .done(.failed) = Self.play([Self.message("n"), Self.message("C"), Self.ready]).0 else {
            return #expect(Bool(false))
        }
    }

    @Test(arguments: [
        ("22021", true), ("22P05", true), ("22001", true), ("P0001", true), ("P0002", true), ("P0003", false),
        ("42501", false), ("42P01", false), ("57014", false), ("XX000", false), ("", false),
    ])
    func errors(code: String, isAboutTheName: Bool) {
        switch Self.play([Self.message("1"), Self.error(code), Self.ready]).0 {
        case .done(.refused(let text)): #expect(isAboutTheName && text.contains(code))
        case .done(.failed(let text)): #expect(!isAboutTheName && text.contains("what the server says"))
        default: #expect(Bool(false))
        }
    }

    @Test(arguments: [
        [WireMessage(kind: UInt8(ascii: "G"), body: [])], [WireMessage(kind: UInt8(ascii: "R"), body: [0, 0, 0, 0])],
        [WireMessage(kind: UInt8(ascii: "Z"), body: [UInt8(ascii: "T")])],
        [WireMessage(kind: UInt8(ascii: "Z"), body: [])], [WireMessage(kind: UInt8(ascii: "T"), body: [])],
        [WireMessage(kind: UInt8(ascii: "T"), body: [255, 255])],
        [WireMessage(kind: UInt8(ascii: "T"), body: [0, 1, 65])],
        [WireMessage(kind: UInt8(ascii: "D"), body: [0, 1, 0, 0, 0, 0])],
        [WireMessage(kind: UInt8(ascii: "E"), body: [77])], [WireMessage(kind: 0, body: [])],
    ])
    func nonsense(messages: [WireMessage]) {
        guard case .broken(.failed) = Self.play(messages).0 else { return #expect(Bool(false)) }
    }

    @Test func rowsThatDoNotFit() {
        for body: [UInt8] in [[0, 1, 0, 0, 0, 9, 65], [0, 1, 255, 255, 255, 254], [0, 0], [0, 1, 0, 0, 0, 0, 7]] {
            guard case .broken = Self.play([Self.columns("a"), Self.message("D", body)]).0 else {
                return #expect(Bool(false))
            }
        }
    }

    @Test func theAnswerIsBounded() {
        let many = [Self.columns("a")] + Array(repeating: Self.row("x"), count: 3)
        guard case (.broken, 4) = Self.play(many) else { return #expect(Bool(false)) }
        let large = String(repeating: "x", count: 60_000)
        let heavy = [Self.columns("a")] + Array(repeating: Self.row(large), count: 100)
        guard case (.broken, 10) = Self.play(heavy, rowsMax: 1000) else { return #expect(Bool(false)) }
    }

    /// Random bytes in every kind of message end in something, and in nothing worse.
    @Test func mutations() {
        var random = SeededRandom(7)
        let whole = [Self.columns("a", "b"), Self.row("x", nil), Self.error("22021"), Self.ready]
        for _ in 0..<20_000 {
            var conversation = AuthQueryConversation(rowsMax: 2)
            for message in whole {
                var body = message.body
                if !body.isEmpty, random.chance(50) { body[random.below(body.count)] = UInt8(random.below(256)) }
                if random.chance(20) { body = Array(body.prefix(random.below(body.count + 1))) }
                if conversation.receive(WireMessage(kind: message.kind, body: body)) != .wait { break }
            }
        }
    }

    /// The name is bound, and nowhere else.
    @Test func theNameIsNoPartOfTheText() {
        let name = "x'; DROP TABLE users; --"
        let bytes = AuthQueryConversation.request(sql: "select $1", parameter: name, rowsMax: 2)
        var assembler = MessageAssembler(maximumBodyLength: 1000)
        assembler.append(bytes)
        var kinds = ""
        while let message = try? assembler.next() {
            let holdsName = String(decoding: message.body, as: UTF8.self).contains(name)
            #expect(holdsName == (message.kind == UInt8(ascii: "B")))
            kinds += String(UnicodeScalar(message.kind))
        }
        #expect(kinds == "PBDES")
    }
}
