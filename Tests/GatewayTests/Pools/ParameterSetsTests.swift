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

    /// Everybody else's welcome is made from it.
    @Test func whatSessionsWithoutParametersAreToldIsNeverForgotten() throws {
        var sets = ParameterSets(applicationName: "app")
        let plain = Welcome([("server_version", "15")])
        sets.remember(plain, for: .none)
        for number in 0..<1_000 {
            let parameters = try SessionParameters.parse([(name: "my.number", value: String(number))])
            sets.remember(Welcome([("server_version", "15"), ("my.number", String(number))]), for: parameters)
            #expect(sets.welcome(for: parameters)?.reports.count == 2)
            #expect(sets.welcome(for: .none)?.isSame(as: plain) == true, "\(number)")
        }
    }

    /// PostgreSQL was upgraded, switched over or set up anew: the first server that tells so is believed.
    @Test func whatANewServerTellsTakesThePlaceOfAllThatWasTold() throws {
        var sets = ParameterSets(applicationName: "app")
        let utc = try Self.parameters("UTC")
        let (old, new) = (Welcome([("server_version", "15.1")]), Welcome([("server_version", "16.2")]))
        sets.greeted(with: old)
        sets.remember(old, for: utc)
        sets.greeted(with: Welcome([("server_version", "15.1")]))
        #expect(sets.recall(utc).greeting == old.greeting(for: utc, named: "app"), "the same again changes nothing")
        sets.greeted(with: new)
        #expect(sets.recall(.none).greeting == new.greeting(for: .none, named: "app"))
        #expect(sets.recall(utc).greeting == nil, "it has to be asked")
    }

    /// Whatever the sessions call themselves; what everybody is told stays.
    @Test func whatAServerRefusesIsForgottenWithAllThatAskForIt() throws {
        var sets = ParameterSets(applicationName: "app")
        let plain = Welcome([("server_version", "15")])
        sets.remember(plain, for: .none)
        let limited = try ["a", "b"].map { name in
            try SessionParameters.parse([(name: "application_name", value: name), (name: "role", value: "limited")])
        }
        sets.remember(plain, for: limited[0])
        for parameters in limited { #expect(sets.recall(parameters).greeting != nil) }
        sets.forget(limited[0])
        for parameters in limited { #expect(sets.recall(parameters).greeting == nil) }
        sets.forget(try SessionParameters.parse([(name: "application_name", value: "a")]))
        #expect(sets.welcome(for: .none)?.isSame(as: plain) == true)
    }

    /// It may have been promoted since. That it is none, stays true until it starts anew.
    @Test func thatAServerIsAStandbyIsNotRemembered() {
        #expect(Welcome([("in_hot_standby", "on"), ("server_version", "16")]).reports.map(\.name) == ["server_version"])
        #expect(Welcome([("in_hot_standby", "off")]).reports.map(\.value) == ["off"])
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

extension ParameterSetsTests {
    /// `search_path` in two spellings of one letter names two schemas.
    @Test func spellingsOfALetterShareNothing() throws {
        func path(_ schema: String) throws -> SessionParameters {
            try SessionParameters.parse([(name: "search_path", value: schema)])
        }
        let (composed, decomposed) = (try path("caf\u{e9}"), try path("cafe\u{301}"))
        var sets = ParameterSets(applicationName: "app")
        sets.remember(Welcome([("search_path", "composed")]), for: composed)
        #expect(sets.recall(composed).parameters === composed)
        #expect(sets.recall(decomposed).greeting == nil, "nobody has told of that one")
        sets.remember(Welcome([("search_path", "decomposed")]), for: decomposed)
        for _ in 0..<2 {
            #expect(sets.recall(composed).parameters === composed)
            #expect(sets.recall(decomposed).parameters === decomposed)
        }
    }
}
