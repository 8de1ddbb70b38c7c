import Sessions
import Testing

@testable import Gateway

@Suite struct ParameterSetsTests {
    private static func parameters(_ zone: String) throws -> SessionParameters {
        try SessionParameters.parse([(name: "TimeZone", value: zone)])
    }

    /// The set recalled last is found by its object: what a server reports later must not be hidden by that.
    @Test func aNewWelcomeIsToldToWhoeverAskedLast() throws {
        var sets = ParameterSets(applicationName: "app")
        let utc = try Self.parameters("UTC")
        #expect(sets.recall(utc).greeting == nil)
        let (old, new) = (Welcome([("server_version", "15.1")]), Welcome([("server_version", "15.2")]))
        sets.remember(old, for: utc)
        for _ in 0..<3 { #expect(sets.recall(utc).greeting == old.greeting(for: utc, named: "app")) }
        sets.remember(new, for: utc)
        for _ in 0..<3 { #expect(sets.recall(utc).greeting == new.greeting(for: utc, named: "app")) }
    }

    @Test func equalParametersShareAnObjectWhoeverAskedLast() throws {
        var sets = ParameterSets(applicationName: "app")
        let (one, same, other) = (try Self.parameters("UTC"), try Self.parameters("UTC"), try Self.parameters("CET"))
        for parameters in [one, other] { sets.remember(Welcome([("server_version", "15")]), for: parameters) }
        for parameters in [one, other, same, one, same, other] {
            let expected = parameters === other ? other : one
            #expect(sets.recall(parameters).parameters === expected)
        }
    }
}
