import HBA
import Testing

@Suite struct HostileTextTests {
    private static let good = #"""
        \#u{FEFF}# comment \
        continued
        local   all,"my ""db"" x"  alice, bob \
           md5 m="a b"\#r
        host sameuser all 10.0.0.0 255.0.0.0 scram-sha-256
        hostssl caf\#u{E9} all 2001:db8::/32 reject # end

        """#

    @Test func everyPieceLoadsOrIsRefused() throws {
        #expect(try policy(Self.good).rules.count == 3)
        let bytes = Array(Self.good.utf8)
        for start in bytes.indices {
            for end in start...bytes.count {
                let text = String(decoding: bytes[start..<end], as: UTF8.self)
                do {
                    _ = try policy(text)
                } catch {
                    #expect(!error.isEmpty)
                    #expect(error.errors.allSatisfy { $0.line >= 1 && $0.column >= 1 })
                }
            }
        }
    }

    @Test func everyByteMayBeAnother() {
        let bytes = Array(Self.good.utf8)
        for index in bytes.indices {
            for byte in [0, 1, 9, 10, 11, 13, 32, 34, 35, 43, 44, 47, 48, 58, 61, 64, 92, 97, 127] as [UInt8] {
                var changed = bytes
                changed[index] = byte
                let found = errors(String(decoding: changed, as: UTF8.self))
                #expect(byte != 0 || !found.isEmpty)
            }
        }
    }

    /// Long texts made of one piece: the time must not grow with the square of the length, in one line or in many.
    @Test(.timeLimit(.minutes(1)), arguments: [
        "a ", "a,", "\"", "\"\"", "\\\n", "+x,", "@ ", "local all all md5 # x\n", "a=1 ", "\u{A0}", "local \\\n",
        "x", ",", "#\n", "/",
        "local ", "host a,", "\n", "\r\n", "\r",
    ])
    func longTexts(_ piece: String) {
        let text = String(repeating: piece, count: (1 << 15) / piece.utf8.count)
        _ = errors(text)
        _ = errors("local all \(text)")
        _ = errors("local all all md5 \(text)")
    }

    @Test func longNamesAndLongListsAreNames() throws {
        let name = String(repeating: "n", count: 100_000)
        let list = (0..<50_000).map { "u\($0)" }.joined(separator: ",")
        let policy = try policy("local \(name) \(list) md5")
        let question = HBAQuestion(origin: .local, database: name, user: "u49999")
        #expect(policy.decide(question).short == "md5@1")
        #expect(policy.rules.first?.users.count == 50_000)
    }
}
