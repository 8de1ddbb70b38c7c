import AuthProviderTestKit
import AuthProviders
import Sessions
import Testing

/// A login that begins without a task asks the same and ends the same as one by `authenticate`.
@Suite struct LoginOpeningTests {
    private struct Observation: Equatable {
        var requests: [ScriptedClient.Request]
        var failure: AuthFailure?
        var user: String?
        var source: String?
        var credential: String?
    }

    private static func observe(_ client: ScriptedClient, _ outcome: LoginOutcome) -> Observation {
        Observation(
            requests: client.requests,
            failure: outcome.failure,
            user: outcome.identity?.user,
            source: outcome.identity?.secretOrigin?.name,
            credential: outcome.identity.map { "\($0.credential)" }
        )
    }

    private static func begin(
        _ user: String,
        method: String,
        services: AuthServices
    ) throws -> Result<LoginOpening?, AuthFailure> {
        let attempt = try TestSetting.attempt(user, method: method)
        let provider = try AuthProviderRegistry.standard()
            .makeProvider(options: attempt.rule.options, services: services)
        do throws(AuthFailure) {
            return .success(try provider.begin(attempt))
        } catch {
            return .failure(error)
        }
    }

    private static func play(_ opening: LoginOpening?, client: ScriptedClient) async -> LoginOutcome? {
        do throws(AuthFailure) {
            switch opening {
            case .admitted(let identity): return .admitted(identity)
            case .exchange(var exchange): return .admitted(try await exchange.run(over: client))
            case nil: return nil
            }
        } catch {
            return .refused(error)
        }
    }

    private static let scripts: [ScriptedClient.Script] = [
        .password("secret"), .password("wrong"), .hesitantPassword("secret"), .hesitantPassword("wrong"), .leaves,
        .raw(mechanism: "SCRAM-SHA-256-PLUS", [[]]), .raw(mechanism: "SCRAM-SHA-256", [nil, nil, nil]),
        .raw(mechanism: "SCRAM-SHA-256", [Array("n,,n=,r=abc".utf8), Array("c=biws,r=abc,p=AAAA".utf8)]),
    ]

    @Test(arguments: ["trust", "reject", "scram-sha-256", "md5"], ["scram", "md5", "empty", "nobody"])
    func sameAsAuthenticate(method: String, user: String) async throws {
        for exchange in [AuthServices.UnknownUserExchange.scramSHA256, .md5] {
            let services = try TestSetting.services(unknownUserExchange: exchange)
            for script in Self.scripts {
                let first = ScriptedClient(user: user, script)
                let expected = Self.observe(
                    first,
                    try await logIn(user, method: method, client: first, services: services)
                )
                let second = ScriptedClient(user: user, script)
                let outcome: LoginOutcome?
                switch try Self.begin(user, method: method, services: services) {
                case .success(let opening): outcome = await Self.play(opening, client: second)
                case .failure(let failure): outcome = .refused(failure)
                }
                #expect(Self.observe(second, try #require(outcome)) == expected)
            }
        }
    }

    /// Knows one user, after a wait.
    private struct DistantSource: SecretSource {
        let name = "distant"

        func secret(user: String, database: String) async -> SecretLookup {
            await Task.yield()
            return .notFound
        }
    }

    @Test(arguments: ["trust", "scram-sha-256", "md5"])
    func aSourceThatHasToBeWaitedForNeedsATask(method: String) throws {
        let distant = try TestSetting.services(DistantSource())
        let distantLast = try TestSetting.services(SecretSourceChain([TestSetting.secrets(), DistantSource()]))
        #expect(try Self.begin("scram", method: method, services: distant).isNil)
        // The first source knows this user; who it does not know has to be asked for.
        #expect(try Self.begin("scram", method: method, services: distantLast).isNil == false)
        #expect(try Self.begin("nobody", method: method, services: distantLast).isNil)
    }

    @Test func aPasswordIsCheckedOffTheWorker() throws {
        #expect(try Self.begin("scram", method: "password", services: TestSetting.services()).isNil)
    }

    @Test func anAnswerToAnotherQuestionIsRefused() throws {
        let services = try TestSetting.services()
        for (method, user) in [("scram-sha-256", "scram"), ("md5", "md5")] {
            guard case .exchange(var exchange) = try Self.begin(user, method: method, services: services).get() else {
                Issue.record("\(method) has no exchange")
                continue
            }
            _ = try exchange.start()
            let answer = user == "md5" ? LoginAnswer.sasl([]) : .password(SecretBytes("x"))
            #expect(throws: AuthFailure.self) { _ = try exchange.receive(answer) }
        }
    }
}

extension Result<LoginOpening?, AuthFailure> {
    /// Only `authenticate` can tell.
    fileprivate var isNil: Bool {
        if case .success(.none) = self { true } else { false }
    }
}
