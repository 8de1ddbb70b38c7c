import Testing

@testable import HBA

/// A slip of the finger never opens the door: each line of a good policy is changed in every place and in many ways;
/// the change is refused at load, or it lets in nobody whom the good policy keeps out and asks less of nobody.
@Suite struct TypoTests {
    private static let good = """
        # type database user address method options
        local replication all reject
        local "all" alice md5
        local sameuser,app bob,alice  scram-sha-256
        hostnossl all all 172.16.0.0/12 reject
        host all postgres all reject
        hostssl app,"my db" all 10.20.0.0/16 scram-sha-256 scope="my map"
        host app "report job",alice 10.1.0.0 255.255.0.0 md5 audience=gateway
        hostssl all alice 2001:db8::/32 scram-sha-256
        host all all 127.0.0.1/32 trust
        host all all all reject
        """

    /// What a finger does at one place of a text: the character goes, another comes, two change places, one is doubled.
    private static func slips(of text: [UInt8], at index: Int) -> [[UInt8]] {
        var results: [[UInt8]] = []
        results.append(Array(text[..<index] + text[(index + 1)...]))
        for byte in "x0 ,\"#/.+\\".utf8 {
            results.append(Array(text[..<index] + [byte] + text[(index + 1)...]))
            results.append(Array(text[..<index] + [byte] + text[index...]))
        }
        results.append(Array(text[..<index] + [text[index]] + text[index...]))
        if index + 1 < text.count {
            var swapped = text
            swapped.swapAt(index, index + 1)
            results.append(swapped)
        }
        // A `#` before the line is no slip: it says that the line shall not count.
        return results.filter { $0.first != UInt8(ascii: "#") }
    }

    /// The column that the byte belongs to, counted from 0; `nil` between columns. Words of the policy above only.
    private static func column(at index: Int, of line: [UInt8]) -> Int? {
        guard case .line(let line) = HBALexer.entries(of: line, file: "line").first else { return nil }
        return line.fields.firstIndex { field in
            field.tokens.contains { $0.range.contains(index) }
        }
    }

    private static func ruleLines() -> [(number: Int, bytes: [UInt8])] {
        Self.good.split(separator: "\n").enumerated().dropFirst().map { ($0.offset, Array($0.element.utf8)) }
    }

    private static func replacing(line number: Int, by bytes: [UInt8]) -> String {
        var lines = Self.good.split(separator: "\n").map { String($0) }
        lines[number] = String(decoding: bytes, as: UTF8.self)
        return lines.joined(separator: "\n")
    }

    /// A slip anywhere. A name or an address that is still a name or an address says something else, which no parser
    /// can know; in a `reject` rule it refuses others now. Everything else is never wider.
    @Test func noSlipWidensTheAccess() throws {
        let questions = try QuestionGrid.all()
        let before = QuestionGrid.demands(of: try policy(Self.good), questions)
        var refused = 0
        var loaded = 0
        for (number, line) in Self.ruleLines() {
            for index in line.indices {
                for slip in Self.slips(of: line, at: index) {
                    guard let policy = try? policy(Self.replacing(line: number, by: slip)) else {
                        refused += 1
                        continue
                    }
                    loaded += 1
                    if Self.isAnotherAddressOrRefusal(slip, of: line) {
                        continue
                    }
                    let after = QuestionGrid.demands(of: policy, questions)
                    let isWider = zip(before, after).contains { $0 > $1 }
                    #expect(!isWider, "\(String(decoding: slip, as: UTF8.self))")
                }
            }
        }
        #expect(refused > 2000)
        #expect(loaded > 500)
    }

    /// Whether the slip leaves the columns of the line as they are, but for another address, for other names in a rule
    /// that refuses, or for a name that became a regular expression.
    private static func isAnotherAddressOrRefusal(_ slip: [UInt8], of line: [UInt8]) -> Bool {
        guard let old = try? policy(String(decoding: line, as: UTF8.self)).rules.first,
            let new = try? policy(String(decoding: slip, as: UTF8.self)).rules.first
        else { return false }
        // A slash at the beginning of a name makes a regular expression of it, which PostgreSQL's grammar cannot tell.
        if new.users.contains(where: { if case .pattern = $0 { true } else { false } }) { return true }
        if new.databases.contains(where: { if case .pattern = $0 { true } else { false } }) { return true }
        guard
            old.kind == new.kind, old.method == new.method, old.options == new.options
        else { return false }
        let hasSameNames = old.databases == new.databases && old.users == new.users
        return hasSameNames && old.address != new.address || old.isReject && !hasSameNames && old.address == new.address
    }

    /// A slip in the type, the method, a quote or the equals sign of an option is refused, or changes nothing at all.
    @Test func slipsInKeywordsAreRefused() throws {
        let goodRules = try policy(Self.good).rules.map(\.description)
        for (number, line) in Self.ruleLines() {
            let rule = try #require(try policy(Self.good).rules.first { $0.line == number + 1 })
            let methodColumn = rule.kind.hasAddress ? (number == 7 ? 5 : 4) : 3
            for index in line.indices {
                let column = Self.column(at: index, of: line)
                let isKeyword = column == 0 || column == methodColumn
                let isQuote = line[index] == UInt8(ascii: "\"")
                let isEquals = line[index] == UInt8(ascii: "=")
                guard isKeyword || isQuote || isEquals else { continue }
                let slips = isKeyword ? Self.slips(of: line, at: index) : [Array(line[..<index] + line[(index + 1)...])]
                for slip in slips {
                    guard let policy = try? policy(Self.replacing(line: number, by: slip)) else { continue }
                    let rules = policy.rules.map(\.description)
                    let isHarmless = rules == goodRules || Self.cutsOptions(slip, line)
                    #expect(isHarmless, "\(String(decoding: slip, as: UTF8.self))")
                }
            }
        }
    }

    /// A `#` right behind the method turns the options into a comment: said legitimately, and the provider of the
    /// method misses its options.
    private static func cutsOptions(_ slip: [UInt8], _ line: [UInt8]) -> Bool {
        slip.contains(UInt8(ascii: "#")) && line.contains(UInt8(ascii: "="))
    }

    /// A slip in a mask or a prefix length is refused unless the result is a mask or a length again.
    @Test(arguments: [
        "10.0.0.0/", "10.0.0.0", "10.0.0.0/33", "10.0.0.0/242", "10.0.0.0/2x", "10.0.0.0/x", "10.0.0.0//8",
        "10.0.0.0/-8",
        "10.0.0.0/ 8", "10.0.0.0 /8", "10.0.0.0\\8", "10.0.0.0.8", "10.0.0/8", "10.0.0.0.0/8", "10,0.0.0/8",
        "1O.0.0.0/8",
        "10.0.0.0/8,", "10.0.0.0/8.", "10.0.0.0/0x8", "10.0.0.0/+8", "10.0.0.0/255.0.0.0", "10.0.0.256/8",
        "::/129", "::/",
        ":/0", "::1//128", "2001:db8:::/32", "2001:db8::g/32", "al", "alll", "All", "ALL", "a,ll", "all,",
        "\"all", "a\"ll\"",
        "10.0.0.0 25.0.0.0", "10.0.0.0 255.0.0.0.", "10.0.0.0 255.0.0", "10.0.0.0 255.0.0.00", "10.0.0.0 256.0.0.0",
        "10.0.0.0 255,0.0.0", "10.0.0.0 255.0.255.0", "10.0.0.0 0.0.0.255", "10.0.0.0 8", "10.0.0.0 ::", ":: 0.0.0.0",
        "10.0.0.0 255.0.0.x", "10.0.0.0/8 255.0.0.0",
    ])
    func addressSlipsAreRefused(_ address: String) {
        #expect(!errors("host all all \(address) trust").isEmpty)
    }

    /// A line that goes missing its end at any place: refused, or an option short.
    @Test func cutLinesAreRefused() throws {
        for (number, line) in Self.ruleLines() {
            let rule = try #require(try policy(Self.good).rules.first { $0.line == number + 1 })
            for length in 1..<line.count {
                let text = Self.replacing(line: number, by: Array(line[..<length]))
                guard let policy = try? policy(text) else { continue }
                let cut = try #require(policy.rules.first { $0.line == number + 1 })
                #expect(cut.method == rule.method)
                #expect(cut.databases == rule.databases && cut.users == rule.users && cut.address == rule.address)
            }
        }
    }

    /// Two lines that lose the line end between them: refused.
    @Test func joinedLinesAreRefused() throws {
        let lines = Self.good.split(separator: "\n").map { String($0) }
        for index in lines.indices.dropFirst().dropLast() {
            for joint in ["", " ", "\t", ",", "\r", "\\\n"] {
                var joined = lines
                joined[index] += joint + joined.remove(at: index + 1)
                #expect(!errors(joined.joined(separator: "\n")).isEmpty, "\(joined[index])")
            }
        }
    }
}
