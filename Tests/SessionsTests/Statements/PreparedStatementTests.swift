import PGWire
import Sessions
import Testing

@Suite struct PreparedStatementTests {
    @Test func itsParseIsTheClientsUnderAnotherName() throws {
        let statements: [(String, [Int32])] = [
            ("select 1", []), ("", []), ("select $1, 'é'", [23, 0, -1]), ("x", [1]),
        ]
        for (query, types) in statements {
            let shop = StatementShop(capacity: 1)
            let statement = try #require(shop.make(query, types: types))
            for name in ["", "pggateway_1", "other"] {
                var expected = MessageWriter()
                expected.sync()
                expected.parse(name: name, query: query, parameterTypes: types)
                var writer = MessageWriter()
                writer.sync()
                statement.appendParse(to: &writer, name: Array(name.utf8))
                #expect(writer.take() == expected.take())
            }
            #expect(statement.text == Array(query.utf8))
            #expect(statement.parameterTypeCount == types.count)
        }
    }

    @Test func everyStatementHasANameOfItsOwn() throws {
        let shop = StatementShop(capacity: 1)
        let statements = (0..<3).compactMap { _ in shop.make("select 1") }
        #expect(statements.map(\.id) == [1, 2, 3])
        #expect(statements.map(\.serverName) == ["pggateway_1", "pggateway_2", "pggateway_3"].map { Array($0.utf8) })
        var writer = MessageWriter()
        statements[1].appendParse(to: &writer)
        #expect(writer.take().dropFirst(5).starts(with: "pggateway_2\0select 1\0\0\0".utf8))
    }

    /// Two statements with one name would hand one client the other's.
    @Test func exhaustedNumbersAreRefused() throws {
        let numbers = StatementNumbers(after: .max - 1)
        let interner = TextInterner(byteLimit: 1000)
        let bytes = parseBody("select 1")
        let body = try #require(parts(bytes))
        let last = try PreparedStatement(body, bytes.span, planner: nil, interner: interner, numbers: numbers)
        #expect(last.id == .max)
        for _ in 0..<3 {
            #expect(numbers.next() == nil)
            #expect(throws: PreparedStatement.Refusal.numbersExhausted) {
                try PreparedStatement(body, bytes.span, planner: nil, interner: interner, numbers: numbers)
            }
        }
        #expect(interner.usage.entries == 1)
    }

    @Test func numbersAreGivenOnceByAllThreads() async {
        let numbers = StatementNumbers()
        let all = await withTaskGroup(of: [StatementID].self) { group in
            for _ in 0..<4 { group.addTask { (0..<5000).compactMap { _ in numbers.next() } } }
            return await group.reduce(into: []) { $0 += $1 }
        }
        #expect(Set(all).count == 20_000)
        #expect(all.max() == 20_000)
    }

    @Test func usesAndKindsAreCounted() throws {
        let statement = try #require(StatementShop(capacity: 1).make("select 1"))
        #expect(statement.kind == nil)
        statement.noteUse(isNamed: true)
        #expect(statement.kind == .named)
        statement.noteUse(isNamed: true)
        statement.noteUse(isNamed: false)
        #expect(statement.kind == .mixed)
        #expect(statement.useCount == 3)
        #expect(PreparedStatementRow(statement).kind == "mixed")
        #expect(!statement.isStale)
        statement.markStale()
        #expect(statement.isStale)
    }

    @Test func textsAreScanned() throws {
        let shop = StatementShop(capacity: 1)
        #expect(shop.make("deallocate a")?.traits == .deallocate)
        #expect(shop.make("select set_config($1,$2,false)", types: [25])?.traits == .setConfig)
    }

    // MARK: Bodies

    @Test func malformedBodiesAreToldFromOthers() {
        let whole = parseBody("select $1", types: [23, 25])
        for count in 0...whole.count {
            #expect((parts(whole, 0..<count) != nil) == (count == whole.count))
        }
        let malformed: [[UInt8]] = [
            [], [0], [0, 0], [0, 0, 0, 0], [1, 2, 3], [0, 0xFF, 0xFF], [0, 0x80, 0, 0, 0, 0, 0], [0, 0, 1, 0, 0, 0],
            [65, 0, 0, 1, 0, 0, 0, 0, 0], [65, 66, 67, 68, 69, 70, 71, 72, 73],
        ]
        for bytes in malformed { #expect(parts(bytes) == nil, "\(bytes)") }
        for range in [-1..<3, 0..<99, 50..<60] { #expect(parts(whole, range) == nil) }
        // The count is without a sign.
        let many = [0, 0xFF, 0xFF] + Array(repeating: UInt8(1), count: 4 * 0xFFFF)
        #expect(parts(many)?.types == 1..<many.count)
    }

    @Test func partsAreFoundAtEveryOffset() throws {
        for length in 0..<40 {
            for offset in 0..<9 {
                let body = parseBody(String(repeating: "x", count: length), types: [7])
                let bytes = Array(repeating: UInt8(0), count: offset) + body + [9, 9]
                let found = try #require(parts(bytes, offset..<(offset + body.count)))
                #expect(found.text == offset..<(offset + length))
                #expect(Array(bytes[found.types]) == [0, 1, 0, 0, 0, 7])
            }
        }
    }

    // MARK: Planner settings

    @Test func plannerSettingsAreEqualByTheirValues() throws {
        #expect(try planner([]) == nil)
        #expect(try planner([("application_name", "a"), ("work_mem", "1MB")]) == nil)
        let one = try planner([("search_path", "a, b"), ("role", "x"), ("work_mem", "1MB")])
        let same = try planner([("ROLE", "x"), ("Search_Path", "a, b"), ("application_name", "a")])
        #expect(one != nil)
        #expect(one === same)
        #expect(PlannerSettings.equal(one, same))
        #expect(PlannerSettings.equal(nil, nil))
        for other in [
            [], [("role", "x")], [("search_path", "A, b"), ("role", "x")], [("search_path", "x"), ("role", "a, b")],
            [("search_path", "a, b"), ("role", "x"), ("default_transaction_read_only", "on")],
        ] as [[(name: String, value: String)]] {
            #expect(!PlannerSettings.equal(one, try planner(other)))
            #expect(!PlannerSettings.equal(try planner(other), one))
        }
        // Equal as characters, not as bytes.
        #expect(!PlannerSettings.equal(try planner([("role", "\u{E9}")]), try planner([("role", "e\u{301}")])))
    }

    @Test func everyPlannerSettingCounts() throws {
        let names = [
            "search_path", "role", "default_transaction_isolation", "default_transaction_read_only",
            "default_text_search_config", "TimeZone", "DateStyle", "IntervalStyle", "client_encoding",
            "standard_conforming_strings", "timezone_abbreviations", "lc_monetary", "array_nulls", "backslash_quote",
            "transform_null_equals", "xmloption",
        ]
        let all = try names.map { try planner([($0, "v")]) }
        for (index, one) in all.enumerated() {
            #expect(one != nil)
            for (other, two) in all.enumerated() { #expect(PlannerSettings.equal(one, two) == (index == other)) }
        }
    }

    /// PostgreSQL makes constants of the literals in a text when it is prepared, by these settings.
    @Test func settingsThatLiteralsAreReadByTellStatementsApart() throws {
        let shop = StatementShop(capacity: 10)
        let text = "select * from t where at >= '2024-01-01 00:00'"
        let settings = try [("TimeZone", "UTC"), ("TimeZone", "America/New_York"), ("DateStyle", "German")].map {
            try planner([(name: $0.0, value: $0.1)])
        }
        let statements = settings.compactMap { shop.prepare(text, planner: $0) }
        #expect(Set(statements.map(\.id)).count == settings.count)
        let same = try planner([("timezone", "utc")])
        #expect(shop.prepare(text, planner: same) === statements.first)
    }

    /// Only where PostgreSQL ignores the case of the value.
    @Test func theCaseOfValuesCountsWhereItCounts() throws {
        for name in ["TimeZone", "DateStyle", "IntervalStyle", "client_encoding", "standard_conforming_strings"] {
            #expect(try planner([(name, "aB")]) === planner([(name, "Ab")]))
            #expect(try planner([(name, "aB")]) !== planner([(name, "a B")]))
        }
        #expect(try planner([("search_path", "aB")]) !== planner([("search_path", "ab")]))
    }

    /// However many clients have asked for: equal settings stay equal when the shared ones are forgotten.
    @Test func forgottenPlannerSettingsAreStillEqual() throws {
        let one = try planner([("search_path", "kept")])
        for index in 0..<1000 { _ = try planner([("search_path", "s\(index)")]) }
        #expect(PlannerSettings.equal(one, try planner([("search_path", "kept")])))
    }
}
