import PGWire
import Sessions
import Testing

/// Servers that say what does not belong there, too much of it, or what is no message at all.
@Suite struct ServerLoginHostileTests {
    private typealias Script = ServerScript

    @Test func messagesOutOfPlaceAreViolations() {
        let early: [(inout MessageWriter) -> Void] = [
            { server in server.parameterStatus(name: "a", value: "b") },
            { server in server.backendKeyData(processID: 1, secret: [1, 2, 3, 4]) },
            { server in server.readyForQuery(.idle) },
            { server in server.commandComplete("SELECT 1") },
            { server in server.authenticationSASLContinue([1]) },
            { server in server.authenticationSASLFinal([1]) },
        ]
        for (index, message) in early.enumerated() {
            let run = Script.run(.cleartext(SecretBytes("secret"))) { server in message(&server) }
            #expect(run.failure != nil, "message \(index)")
            #expect(run.greeting == nil)
        }
        let late: [(inout MessageWriter) -> Void] = [
            { server in server.authenticationOk() },
            { server in server.authenticationCleartextPassword() },
            { server in server.negotiateProtocolVersion(minor: 0, unrecognized: []) },
            { server in server.dataRow([nil]) },
            { server in
                server.backendKeyData(processID: 1, secret: [1, 2, 3, 4])
                server.backendKeyData(processID: 1, secret: [1, 2, 3, 4])
            },
        ]
        for (index, message) in late.enumerated() {
            let run = Script.run(.cleartext(SecretBytes("secret"))) { server in
                server.authenticationOk()
                message(&server)
            }
            #expect(run.isProtocolViolation, "message \(index)")
        }
    }

    @Test func secondPasswordRequestIsAViolation() {
        let run = Script.run(.cleartext(SecretBytes("secret"))) { server in
            server.authenticationMD5Password(salt: [1, 2, 3, 4])
            server.authenticationCleartextPassword()
        }
        #expect(run.isProtocolViolation)
        #expect(run.sent.count == 1)
    }

    @Test func limits() {
        var limits = ServerLoginLimits()
        limits.parametersMax = 3
        limits.parameterBytesMax = 100
        limits.messagesMax = 10
        func run(_ script: (inout MessageWriter) -> Void) -> ServerScript {
            Script.run(.none, limits: limits) { server in
                server.authenticationOk()
                script(&server)
                server.readyForQuery(.idle)
            }
        }
        #expect(
            run { server in for name in ["a", "b", "c"] { server.parameterStatus(name: name, value: "") } }.greeting
                != nil
        )
        #expect(
            run { server in for name in ["a", "b", "c", "d"] { server.parameterStatus(name: name, value: "") } }
                .isProtocolViolation
        )
        let ninetyNine = String(repeating: "v", count: 99)
        #expect(run { server in server.parameterStatus(name: "a", value: ninetyNine) }.greeting != nil)
        #expect(run { server in server.parameterStatus(name: "a", value: ninetyNine + "v") }.isProtocolViolation)
        #expect(
            run { server in
                for _ in 0..<5 { server.parameterStatus(name: "a", value: ninetyNine) }
            }.greeting != nil
        )
        let notice = ServerMessageFields(severity: .notice, sqlState: .warning, message: "x")
        #expect(run { server in for _ in 0..<8 { server.noticeResponse(notice) } }.greeting != nil)
        #expect(run { server in for _ in 0..<9 { server.noticeResponse(notice) } }.isProtocolViolation)
    }

    @Test func nothingIsTakenBeforeStartOrAfterTheEnd() {
        var login = ServerLogin(user: "alice", database: "shop", credential: .none)
        guard
            case .failed(.protocolViolation) = login.receive(
                WireMessage(kind: BackendMessageKind.authentication, body: [0, 0, 0, 0])
            )
        else {
            Issue.record("accepted before start")
            return
        }
        _ = login.receive(WireMessage(kind: BackendMessageKind.authentication, body: [0, 0, 0, 0]))
        guard
            case .failed(.protocolViolation) = login.receive(
                WireMessage(kind: BackendMessageKind.readyForQuery, body: [0x49])
            )
        else {
            Issue.record("accepted after the end")
            return
        }
    }

    /// Whole logins with every byte changed or cut: each ends in some way, none traps.
    @Test func noMutationTraps() throws {
        let script = Script.bytes { server in
            server.negotiateProtocolVersion(minor: 0, unrecognized: ["_pq_.x"])
            server.authenticationMD5Password(salt: [1, 2, 3, 4])
            server.authenticationOk()
            server.parameterStatus(name: "name", value: "value")
            server.backendKeyData(processID: 1, secret: [1, 2, 3, 4])
            server.errorResponse(ServerMessageFields(severity: .fatal, sqlState: .systemError, message: "x"))
        }
        for mutated in mutations(of: script) {
            let run = Script.run(.cleartext(SecretBytes("secret")), version: .v3_2, bytes: mutated)
            #expect(run.greeting == nil)
        }
    }

    @Test func malformedBodies() {
        let kinds = [
            BackendMessageKind.authentication, BackendMessageKind.errorResponse, BackendMessageKind.parameterStatus,
            BackendMessageKind.backendKeyData, BackendMessageKind.readyForQuery,
            BackendMessageKind.negotiateProtocolVersion,
        ]
        let bodies: [[UInt8]] = [
            [], [0], [0x49, 0], [0, 0, 0], [0xff, 0xff, 0xff, 0xff], [0, 0, 0, 10], [0, 0, 0, 10, 0x41],
            [0, 0, 0, 5, 1, 2, 3],
            [0, 3, 0, 0, 0x7f, 0xff, 0xff, 0xff], [0, 3, 0, 0, 0xff, 0xff, 0xff, 0xff], [0x41], [0x41, 0x42, 0],
            [0x41, 0, 0xff, 0],
        ]
        for kind in kinds {
            for body in bodies where !(kind == BackendMessageKind.noticeResponse) {
                for isAuthenticated in [false, true] {
                    var login = ServerLogin(user: "u", database: "d", credential: .cleartext(SecretBytes("x")))
                    _ = login.start()
                    if isAuthenticated {
                        _ = login.receive(WireMessage(kind: BackendMessageKind.authentication, body: [0, 0, 0, 0]))
                    }
                    if case .ready = login.receive(WireMessage(kind: kind, body: body)) {
                        Issue.record("ready by \(kind) \(body)")
                    }
                }
            }
        }
    }
}
