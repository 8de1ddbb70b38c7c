import Telemetry
import Testing

@Suite("Log rules")
struct LogRulesTests {
    @Test(arguments: [
        ("info", LogThreshold.info), ("ERROR", .error), ("warn", .warn), ("Warning", .warn), (" debug ", .debug),
        ("trace", .trace), ("off", .off),
    ])
    func readsBareLevels(text: String, threshold: LogThreshold) throws {
        let rules = try LogRules(parsing: text)
        #expect(rules.base == threshold)
        #expect(rules.threshold(for: "anything") == threshold)
    }

    @Test func theLongestModuleWinsLouderOrQuieter() throws {
        let rules = try LogRules(parsing: "pool=debug, pool.wait=error,warn , login = off")
        #expect(rules.threshold(for: "gateway") == .warn)
        #expect(rules.threshold(for: "pool") == .debug)
        #expect(rules.threshold(for: "pool.open") == .debug)
        #expect(rules.threshold(for: "pool.wait.queue") == .error)
        #expect(rules.threshold(for: "login.scram") == .off)
        #expect(rules.threshold(for: "poo") == .warn)
        #expect(rules.description == "warn,pool.wait=error,login=off,pool=debug")
        #expect(try LogRules(parsing: rules.description) == rules)
    }

    @Test func withoutABareLevelInfoHolds() throws {
        let rules = try LogRules(parsing: "pool=trace")
        #expect(rules.base == .info)
        #expect(rules.threshold(for: "pool") == .trace)
    }

    @Test(arguments: [
        ("", LogRulesError.empty), ("  ", .empty), ("info,", .empty), (",", .empty), ("=debug", .empty),
        ("info,warn", .secondBareLevel("warn")), ("loud", .unknownLevel("loud")), ("pool=", .unknownLevel("")),
        ("pool=a=b", .unknownLevel("a=b")), ("pool", .unknownLevel("pool")),
        ("pool=info,pool=warn", .repeatedModule("pool")),
    ])
    func refusesOtherTexts(text: String, expected: LogRulesError) {
        #expect(throws: expected) { try LogRules(parsing: text) }
    }

    @Test func boundsTheNumberOfRules() throws {
        let most = (0..<64).map { "m\($0)=info" }
        #expect(try LogRules(parsing: most.joined(separator: ",")).base == .info)
        #expect(throws: LogRulesError.tooManyRules(limit: 64)) {
            try LogRules(parsing: (most + ["x=info"]).joined(separator: ","))
        }
    }
}
