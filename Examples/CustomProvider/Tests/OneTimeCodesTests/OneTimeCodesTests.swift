import AuthProviderTestKit
import AuthProviders
import Foundation
import Testing

@testable import OneTimeCodes

@Suite struct OneTimeCodesTests {
    /// Plays logins against a file of codes of its own; returns what is left of it.
    private func withCodes(_ text: String, _ body: (Rehearsal) async throws -> Void) async throws -> String {
        let file = FileManager.default.temporaryDirectory.appendingPathComponent("codes-\(UUID().uuidString)")
        try Data(text.utf8).write(to: file)
        defer { try? FileManager.default.removeItem(at: file) }
        try await body(try Rehearsal(OneTimeCodes.self, "otp", options: ["codes": file.path]))
        return try String(contentsOf: file, encoding: .utf8)
    }

    @Test func aCodeWorksOnceAndForItsUserOnly() async throws {
        let left = try await self.withCodes("# codes\nalice:111111\nalice:222222\nbob:333333\n") { login in
            let alice = await login.logIn("alice", .turns([.cleartext("111111")]))
            #expect(alice.identity?.user == "alice")
            #expect(alice.identity?.provider == "otp")
            for code in ["111111", "333333", "", "222222 ", "alice:222222"] {
                let refused = await login.logIn("alice", .turns([.cleartext(code)]))
                #expect(refused.failure?.reason == .proofWrong)
            }
            #expect(await login.logIn("bob", .turns([.cleartext("333333")])).identity?.user == "bob")
        }
        #expect(left == "alice:222222\n")
    }

    @Test func anUnknownUserLooksLikeAWrongCode() async throws {
        _ = try await self.withCodes("alice:111111\n") { login in
            var seen: Set<String> = []
            for user in ["alice", "nobody"] {
                let client = ScriptedClient(user: user, .password("000000"))
                let failure = await login.logIn(user, client: client).failure
                let text = failure?.clientText.replacingOccurrences(of: user, with: "USER") ?? ""
                seen.insert("\(client.shapes) \(text) \(failure?.sqlStateText ?? "")")
            }
            #expect(seen == ["[\"cleartext\"] password authentication failed for user \"USER\" 28P01"])
        }
    }

    @Test func oneCodeLetsOneOfManyIn() async throws {
        let left = try await self.withCodes("alice:111111\n") { login in
            let admitted = await withTaskGroup(of: Bool.self) { group in
                for _ in 0..<20 {
                    group.addTask { await login.logIn("alice", .password("111111")).identity != nil }
                }
                return await group.reduce(0) { $0 + ($1 ? 1 : 0) }
            }
            #expect(admitted == 1)
        }
        #expect(left == "")
    }

    @Test func aClientThatLeavesTakesNoCode() async throws {
        let left = try await self.withCodes("alice:111111\n") { login in
            #expect(await login.logIn("alice", .leaves).failure?.reason == .clientLeft)
            #expect(await login.logIn("alice", .saysNothing).failure?.reason == .deadlinePassed)
        }
        #expect(left == "alice:111111\n")
    }

    /// Replaced by a copy that everybody could read at first.
    @Test func aFileOfCodesStaysPrivate() async throws {
        let file = FileManager.default.temporaryDirectory.appendingPathComponent("codes-\(UUID().uuidString)")
        _ = FileManager.default.createFile(atPath: file.path, contents: Data("alice:111111\nbob:222222\n".utf8))
        defer { try? FileManager.default.removeItem(at: file) }
        let login = try Rehearsal(OneTimeCodes.self, "otp", options: ["codes": file.path])
        #expect(await login.logIn("alice", .password("111111")).identity != nil)
        let attributes = try FileManager.default.attributesOfItem(atPath: file.path)
        #expect((attributes[.posixPermissions] as? NSNumber)?.intValue == 0o600)
    }

    @Test(arguments: ["alice", ":111111", "alice:", "alice:12345", "bob:123456\nalice 123456"])
    func badLinesAreLoadErrors(text: String) async throws {
        let error = await #expect(throws: AuthConfigurationError.self) { try await self.withCodes(text) { _ in } }
        #expect(error?.description.contains("not user:code") == true)
        #expect(error?.description.contains("123456") == false, "an error tells no code")
    }

    @Test func aFileThatGoesAwayIsTheServicesFault() async throws {
        #expect(throws: AuthConfigurationError.self) {
            try Rehearsal(OneTimeCodes.self, "otp", options: ["codes": "/nonexistent/codes"])
        }
        #expect(throws: AuthConfigurationError.missingOption(method: "otp", name: "codes")) {
            try Rehearsal(OneTimeCodes.self, "otp")
        }
        let file = FileManager.default.temporaryDirectory.appendingPathComponent("codes-\(UUID().uuidString)")
        try Data("alice:111111\n".utf8).write(to: file)
        let login = try Rehearsal(OneTimeCodes.self, "otp", options: ["codes": file.path])
        try FileManager.default.removeItem(at: file)
        let failure = await login.logIn("alice", .password("111111")).failure
        #expect(failure?.sqlStateText == "58000")
        #expect(failure?.clientText == "Authentication service unavailable")
    }
}
