import AuthProviderTestKit
import AuthProviders
import Sessions
import Testing

/// The kit that authors of providers test with: its clients behave as written, and tell what they saw.
@Suite struct TestKitTests {
    /// Asks two questions, one by SASL and one more than once.
    private struct Curious: AuthProvider {
        static let hbaMethods = ["curious"]

        init(options: MethodOptions, services: AuthServices) throws(AuthConfigurationError) {
            try options.allowOnly("word")
        }

        func authenticate(
            _ attempt: LoginAttempt,
            over dialogue: some ClientDialogue
        ) async throws(AuthFailure) -> AuthenticatedIdentity {
            let (mechanism, data) = try await dialogue.requestSASL(mechanisms: ["X"])
            guard mechanism == "X", data == [1] else { throw .protocolViolation("no X") }
            let answer = try await dialogue.continueSASL([2])
            guard answer == [3] else { throw .wrongPassword(of: attempt, reason: .proofWrong, log: "not 3") }
            try await dialogue.finishSASL([4])
            return AuthenticatedIdentity(
                user: attempt.user,
                credential: .none,
                provider: "curious",
                method: attempt.rule.method
            )
        }
    }

    /// Catches what the dialogue throws and asks again, which a provider must not do.
    private struct Stubborn: AuthProvider {
        static let hbaMethods = ["stubborn"]

        init(options: MethodOptions, services: AuthServices) throws(AuthConfigurationError) {}

        func authenticate(
            _ attempt: LoginAttempt,
            over dialogue: some ClientDialogue
        ) async throws(AuthFailure) -> AuthenticatedIdentity {
            _ = try? await dialogue.requestCleartextPassword()
            _ = try await dialogue.requestCleartextPassword()
            throw .protocolViolation("the dialogue went on")
        }
    }

    private static let goodTurns: [ScriptedClient.Turn] = [
        .sasl(mechanism: "X", data: [1]), .challenge(bytes: [3]),
    ]

    @Test func turnsInOrderLeadIn() async throws {
        let client = ScriptedClient(user: "alice", .turns(Self.goodTurns))
        let rehearsal = try Rehearsal(Curious.self, "curious", options: ["word": "x"])
        let outcome = await rehearsal.logIn("alice", client: client)
        #expect(outcome.identity?.user == "alice")
        #expect(client.requests == [.sasl(["X"]), .challenge([2]), .final([4])])
        #expect(client.turnsLeft == 0)
        #expect(client.surprise == nil)
    }

    @Test func anUnexpectedQuestionIsToldAndEndsTheLogin() async throws {
        let client = ScriptedClient(user: "alice", .turns([.cleartext("secret")]))
        let outcome = try await Rehearsal(Curious.self, "curious").logIn("alice", client: client)
        #expect(outcome.failure?.reason == .clientLeft)
        #expect(client.surprise == "expected a cleartext password, was asked for SASL")
        #expect(client.turnsLeft == 1)
    }

    @Test func aQuestionBehindTheLastTurnIsToldToo() async throws {
        let client = ScriptedClient(user: "alice", .turns([Self.goodTurns[0]]))
        let outcome = try await Rehearsal(Curious.self, "curious").logIn("alice", client: client)
        #expect(outcome.failure?.reason == .clientLeft)
        #expect(client.surprise == "expected nothing, was asked for an answer to a SASL challenge")
    }

    @Test func aClientLeavesOrSaysNothingInTheMiddle() async throws {
        let rehearsal = try Rehearsal(Curious.self, "curious")
        let left = await rehearsal.logIn("alice", .turns([Self.goodTurns[0], .leaves(at: .challenge)]))
        #expect(left.failure?.reason == .clientLeft)
        let silent = await rehearsal.logIn("alice", .turns([Self.goodTurns[0], .saysNothing(at: .challenge)]))
        #expect(silent.failure == .deadlinePassed())
        #expect(await rehearsal.logIn("alice", .saysNothing).failure == .deadlinePassed())
    }

    @Test(arguments: [ScriptedClient.Script.leaves, .saysNothing, .turns([])])
    func aDialogueThatHasThrownKeepsThrowing(script: ScriptedClient.Script) async throws {
        let client = ScriptedClient(user: "alice", script)
        let outcome = try await Rehearsal(Stubborn.self, "stubborn").logIn("alice", client: client)
        #expect(outcome.failure?.reason == .clientLeft || outcome.failure?.reason == .deadlinePassed)
        #expect(client.requests == [.cleartext], "nobody is there to hear the second question")
    }

    @Test func wrongOptionsAreFoundBeforeAnyLogin() {
        #expect(throws: AuthConfigurationError.unknownOption(method: "curious", name: "ward")) {
            try Rehearsal(Curious.self, "curious", options: ["ward": "x"])
        }
        #expect(throws: AuthConfigurationError.unknownMethod("courious")) { try Rehearsal(Curious.self, "courious") }
        #expect(throws: AuthConfigurationError.duplicateOption(method: "curious", name: "word")) {
            try Rehearsal(Curious.self, "curious", options: ["word": "x", "word": "y"])
        }
    }

    /// The kit plays a login as the gateway does: by `begin` where a provider has it.
    @Test(arguments: ["trust", "scram-sha-256", "md5", "password"])
    func honestClientsGetInByEveryMethod(method: String) async throws {
        let services = try TestSetting.services()
        let rehearsal = try Rehearsal(.standard(), method, services: services)
        let outcome = await rehearsal.logIn("scram", .password(TestSetting.password))
        #expect(outcome.identity?.method == method)
    }
}
