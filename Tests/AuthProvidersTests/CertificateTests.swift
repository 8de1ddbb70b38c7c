import AuthProviderTestKit
import AuthProviders
import Sessions
import Testing

/// Method `cert`, and what other rules ask of certificates.
@Suite struct CertificateTests {
    /// Lets the owner of a certificate named `robot`, and of the whole subject `CN=robot,O=Example`, be `scram`.
    private struct Maps: LocalUsers {
        func name(ofUser user: UInt32) async -> SystemUserLookup { .unknown }

        func admits(_ systemUser: String, as attempt: LoginAttempt, map: String) async -> UserMapAnswer {
            switch map {
            case "robots":
                ["robot", "CN=robot,O=Example"].contains(systemUser) && attempt.user == "scram" ? .admitted : .refused
            case "broken": .unavailable("nobody answers")
            default: .refused
            }
        }
    }

    private static let mismatch = "certificate authentication failed for user \"scram\""

    private static func certificate(_ commonName: String?) -> ClientCertificate {
        ClientCertificate(commonName: commonName, subject: commonName.map { "CN=\($0),O=Example" } ?? "O=Example")
    }

    private static func services() throws -> AuthServices {
        AuthServices(
            secrets: try TestSetting.secrets(),
            localUsers: Maps(),
            mock: MockAuthentication(key: SecretBytes("process key"), iterations: TestSetting.iterations)
        )
    }

    private func logIn(
        as user: String = "scram",
        options: KeyValuePairs<String, String> = [:],
        _ certificate: ClientCertificate?
    ) async throws -> LoginOutcome {
        let rehearsal = try Rehearsal(.standard(), "cert", options: options, services: Self.services())
        let attempt = rehearsal.attempt(user, isTLS: true, certificate: certificate)
        return await rehearsal.logIn(attempt, client: ScriptedClient(user: user, .leaves))
    }

    @Test(arguments: ["scram", "md5", "empty"])
    func theNameInTheCertificateIsTheUser(user: String) async throws {
        let identity = try await self.logIn(as: user, Self.certificate(user)).identity
        #expect(identity?.user == user && identity?.provider == "cert" && identity?.method == "cert")
        switch identity?.credential {
        case .md5Hash: #expect(user == "md5")
        case .some(.none): #expect(user != "md5")
        default: Issue.record("\(String(describing: identity))")
        }
    }

    @Test(arguments: ["Scram", "scra", "scram ", "robot", "CN=scram,O=Example"])
    func otherNamesAreRefused(name: String) async throws {
        let failure = try await self.logIn(Self.certificate(name)).failure
        #expect(failure?.reason == .certificateMismatch && failure?.sqlStateText == "28000")
        #expect(failure?.clientText == Self.mismatch)
        #expect(failure?.logText.contains("\"\(name)\"") == true)
    }

    @Test func theWholeSubjectCounts() async throws {
        let whole = ClientCertificate(commonName: "robot", subject: "scram")
        #expect(try await self.logIn(options: ["clientname": "DN"], whole).identity != nil)
        #expect(try await self.logIn(options: ["clientname": "CN"], whole).failure?.reason == .certificateMismatch)
        let named = Self.certificate("scram")
        #expect(try await self.logIn(options: ["clientname": "DN"], named).failure?.reason == .certificateMismatch)
        let options: KeyValuePairs = ["clientname": "DN", "map": "robots"]
        #expect(try await self.logIn(options: options, Self.certificate("robot")).identity?.user == "scram")
    }

    @Test func mapsSayWhoTheOwnerMayBe() async throws {
        let options: KeyValuePairs = ["map": "robots"]
        #expect(try await self.logIn(options: options, Self.certificate("robot")).identity?.user == "scram")
        // With a map, the same name is not enough.
        let same = try await self.logIn(options: options, Self.certificate("scram")).failure
        #expect(same?.reason == .certificateMismatch && same?.clientText == Self.mismatch)
        #expect(try await self.logIn(as: "md5", options: options, Self.certificate("robot")).identity == nil)
        #expect(try await self.logIn(options: ["map": "absent"], Self.certificate("robot")).identity == nil)
        let broken = try await self.logIn(options: ["map": "broken"], Self.certificate("robot")).failure
        #expect(broken?.reason == .serviceUnavailable && broken?.sqlStateText == "58000")
    }

    @Test func certificatesWithoutANameAreNobodys() async throws {
        for certificate in [Self.certificate(nil), Self.certificate("")] {
            for map in ["robots", nil] {
                let failure = try await self.logIn(options: map.map { ["map": $0] } ?? [:], certificate).failure
                #expect(failure?.reason == .certificateMismatch && failure?.clientText == Self.mismatch)
                #expect(failure?.logText == "the client's certificate contains no user name")
            }
        }
        let nameless = ClientCertificate(commonName: "scram", subject: "")
        #expect(try await self.logIn(options: ["clientname": "DN"], nameless).failure?.reason == .certificateMismatch)
    }

    @Test func withoutACertificate() async throws {
        for map in ["robots", nil] {
            let failure = try await self.logIn(options: map.map { ["map": $0] } ?? [:], nil).failure
            #expect(failure?.reason == .certificateMissing && failure?.sqlStateText == "28000")
            #expect(failure?.clientText == "connection requires a valid client certificate")
        }
    }

    @Test func unknownUsersAreRefused() async throws {
        let failure = try await self.logIn(as: "nobody", Self.certificate("nobody")).failure
        #expect(failure?.reason == .userUnknown)
    }

    @Test func unknownOptionsAreRefused() throws {
        #expect(throws: AuthConfigurationError.self) {
            try Rehearsal(.standard(), "cert", options: ["ldapserver": "x"], services: Self.services())
        }
    }

    // MARK: Whatever the method

    /// How a rule's demand answers: `fine`, `asks` the map, or the reason of the refusal; first at hand, then in full.
    private func answers(
        _ method: String,
        _ options: [String: String],
        _ certificate: ClientCertificate?
    ) async throws -> [String] {
        let demand = CertificateDemand(method: method, option: { options[$0] }, users: Maps())
        guard let demand else { return [] }
        let attempt = try Rehearsal(.standard(), "trust").attempt("scram", isTLS: true, certificate: certificate)
        var answers: [String] = []
        do throws(AuthFailure) {
            answers.append(try demand.checkAtHand(attempt) ? "fine" : "asks")
        } catch {
            answers.append(error.reason.rawValue)
        }
        do throws(AuthFailure) {
            try await demand.check(attempt)
            answers.append("fine")
        } catch {
            answers.append(error.reason.rawValue)
        }
        return answers
    }

    @Test func rulesThatAskForNothing() async throws {
        for options in [[:], ["map": "robots"], ["clientname": "DN"]] {
            #expect(try await self.answers("scram-sha-256", options, nil).isEmpty)
        }
    }

    @Test(arguments: [
        ("scram-sha-256", "verify-ca"), ("scram-sha-256", "verify-full"), ("cert", nil), ("cert", "verify-full"),
    ])
    func certificatesHaveToBeShown(method: String, clientcert: String?) async throws {
        let options = clientcert.map { ["clientcert": $0] } ?? [:]
        #expect(try await self.answers(method, options, nil) == ["certificate_missing", "certificate_missing"])
        #expect(try await self.answers(method, options, Self.certificate("scram")) == ["fine", "fine"])
    }

    @Test func verifyFullChecksTheName() async throws {
        let other = Self.certificate("robot")
        #expect(try await self.answers("md5", ["clientcert": "verify-ca"], other) == ["fine", "fine"])
        let full = ["clientcert": "verify-full"]
        let wrong = ["certificate_mismatch", "certificate_mismatch"]
        #expect(try await self.answers("md5", full, other) == wrong)
        #expect(try await self.answers("md5", full, Self.certificate(nil)) == wrong)
        // Method cert checks the name itself.
        #expect(try await self.answers("cert", full, other) == ["fine", "fine"])
        let subject = full.merging(["clientname": "DN"]) { $1 }
        #expect(try await self.answers("md5", subject, Self.certificate("scram")) == wrong)
        let named = ClientCertificate(commonName: nil, subject: "scram")
        #expect(try await self.answers("md5", subject, named) == ["fine", "fine"])
    }

    @Test func verifyFullAsksTheMap() async throws {
        func answers(_ map: String, _ name: String) async throws -> [String] {
            try await self.answers("jwt", ["clientcert": "verify-full", "map": map], Self.certificate(name))
        }
        #expect(try await answers("robots", "robot") == ["asks", "fine"])
        #expect(try await answers("robots", "scram") == ["asks", "certificate_mismatch"])
        #expect(try await answers("broken", "robot") == ["asks", "service_unavailable"])
    }
}
