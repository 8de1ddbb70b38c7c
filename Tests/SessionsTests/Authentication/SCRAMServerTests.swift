import Sessions
import Testing

@Suite struct SCRAMServerTests {
    private func server(_ vector: SCRAMVector, isMock: Bool = false) throws -> SCRAMServer {
        SCRAMServer(verifier: try vector.verifier(), isMock: isMock, serverNonce: bytes(vector.serverNonce))
    }

    /// A verifier with one iteration keeps the many exchanges below quick.
    private let vector = SCRAMVector.longPassword

    private func failure(first message: [UInt8]) throws -> SCRAMFailure? {
        var server = try self.server(self.vector)
        do throws(SCRAMFailure) {
            _ = try server.receiveFirst(message)
            return nil
        } catch {
            return error
        }
    }

    private func failure(final message: [UInt8], first: String? = nil) throws -> SCRAMFailure? {
        var server = try self.server(self.vector)
        _ = try server.receiveFirst(bytes(first ?? self.vector.clientFirst))
        do throws(SCRAMFailure) {
            _ = try server.receiveFinal(message)
            return nil
        } catch {
            return error
        }
    }

    @Test(arguments: SCRAMVector.all)
    func playsTheVector(vector: SCRAMVector) throws {
        var server = try self.server(vector)
        #expect(text(try server.receiveFirst(bytes(vector.clientFirst))) == vector.serverFirst)
        let success = try server.receiveFinal(bytes(vector.clientFinal))
        #expect(text(success.serverFinal) == vector.serverFinal)
        let verifier = try vector.verifier()
        #expect(
            success.keys
                == SCRAMKeys(
                    password: SecretBytes(vector.password),
                    salt: verifier.salt,
                    iterations: verifier.iterations
                )
        )
    }

    @Test func wonClientKeyIsTheOneOfThePassword() throws {
        var server = try self.server(.plain)
        _ = try server.receiveFirst(bytes(SCRAMVector.plain.clientFirst))
        let keys = try server.receiveFinal(bytes(SCRAMVector.plain.clientFinal)).keys
        #expect(
            hexadecimal(keys.clientKey.exposed()) == "2a26a29eb05bae5b862b7855f3e9876166ae3e1378faf377e7846ac0f87b787a"
        )
        #expect(
            keys.serverKey.map { key in hexadecimal(key.exposed()) }
                == "ed888730c8b639c5c646882e6f4dc4934e89459f5b9214ce742cc76b988f2e24"
        )
    }

    /// Each part of a bound login held against a server that binds: nothing but the whole passes.
    @Test func bindsTheLoginToTheCertificate() throws {
        let vector = SCRAMVector.bound
        var server = try self.server(bound: vector)
        #expect(server.mechanisms == ["SCRAM-SHA-256-PLUS", "SCRAM-SHA-256"])
        let first = try server.receiveFirst(bytes(vector.clientFirst), mechanism: SCRAMServer.bindingMechanism)
        #expect(text(first) == vector.serverFirst)
        #expect(text(try server.receiveFinal(bytes(vector.clientFinal)).serverFinal) == vector.serverFinal)
        #expect(try self.server(vector).mechanisms == ["SCRAM-SHA-256"])
    }

    private func server(bound vector: SCRAMVector, isMock: Bool = false, to data: [UInt8] = SCRAMVector.endpoint) throws
        -> SCRAMServer
    {
        SCRAMServer(
            verifier: try vector.verifier(),
            isMock: isMock,
            serverNonce: bytes(vector.serverNonce),
            channelBinding: data
        )
    }

    /// How a whole exchange with a server that can bind fails; nil when it does not.
    private func boundFailure(
        first: String = SCRAMVector.bound.clientFirst,
        mechanism: String = SCRAMServer.bindingMechanism,
        final: [UInt8] = bytes(SCRAMVector.bound.clientFinal),
        isMock: Bool = false,
        to data: [UInt8] = SCRAMVector.endpoint
    ) throws -> SCRAMFailure? {
        var server = try self.server(bound: .bound, isMock: isMock, to: data)
        do throws(SCRAMFailure) {
            _ = try server.receiveFirst(bytes(first), mechanism: mechanism)
            _ = try server.receiveFinal(final)
            return nil
        } catch {
            return error
        }
    }

    @Test func anotherCertificateIsNoticed() throws {
        #expect(try self.boundFailure() == nil)
        for count in [0, 1, 31, 33, 48, 64] {
            let data = (0..<count).map { UInt8(truncatingIfNeeded: $0) }
            #expect(try self.boundFailure(to: data) == .channelBindingMismatch)
        }
        for index in SCRAMVector.endpoint.indices {
            var other = SCRAMVector.endpoint
            other[index] ^= 1
            #expect(try self.boundFailure(to: other) == .channelBindingMismatch)
            // Whether the user exists does not change what a wrong binding looks like.
            #expect(try self.boundFailure(isMock: true, to: other) == .channelBindingMismatch)
        }
        #expect(try self.boundFailure(isMock: true) == .proofInvalid)
        for mutated in mutations(of: bytes(SCRAMVector.bound.clientFinal))
        where mutated != bytes(SCRAMVector.bound.clientFinal) {
            #expect(try self.boundFailure(final: mutated) != nil)
        }
    }

    /// Who could bind and was told that we cannot has somebody in the middle.
    @Test(arguments: [
        ("y,,n=,r=a", "SCRAM-SHA-256", SCRAMFailure.channelBindingDowngraded),
        ("y,,n=,r=a", "SCRAM-SHA-256-PLUS", .channelBindingMissing),
        ("n,,n=,r=a", "SCRAM-SHA-256-PLUS", .channelBindingMissing),
        ("p=tls-server-end-point,,n=,r=a", "SCRAM-SHA-256", .channelBindingRefused),
        ("p=tls-unique,,n=,r=a", "SCRAM-SHA-256-PLUS", .channelBindingUnsupported("tls-unique")),
        ("p=tls-server-end-poin,,n=,r=a", "SCRAM-SHA-256-PLUS", .channelBindingUnsupported("tls-server-end-poin")),
        ("p=,,n=,r=a", "SCRAM-SHA-256-PLUS", .channelBindingUnsupported("")),
        ("p=\u{1b}[2J,,n=,r=a", "SCRAM-SHA-256-PLUS", .channelBindingUnsupported("?[2J")),
        ("p,,n=,r=a", "SCRAM-SHA-256-PLUS", .malformed("gs2 flag")),
        ("p=tls-server-end-point", "SCRAM-SHA-256-PLUS", .malformed("gs2 header")),
        ("p=tls-server-end-point,a=admin,n=,r=a", "SCRAM-SHA-256-PLUS", .authorizationIdentityRefused),
        ("p=tls-server-end-point,x,n=,r=a", "SCRAM-SHA-256-PLUS", .malformed("gs2 header")),
    ])
    func flagsHaveToFitTheMechanism(first: String, mechanism: String, expected: SCRAMFailure) throws {
        #expect(try self.boundFailure(first: first, mechanism: mechanism) == expected)
        #expect(try self.boundFailure(first: first, mechanism: mechanism, isMock: true) == expected)
    }

    /// A client that cannot bind logs in as ever.
    @Test func bindingIsNotForced() throws {
        #expect(
            try self.boundFailure(
                first: self.vector.clientFirst, mechanism: SCRAMServer.mechanism, final: bytes(self.vector.clientFinal))
                == nil)
        // The binding of another exchange, and none where one was announced.
        #expect(
            try self.boundFailure(first: self.vector.clientFirst, mechanism: SCRAMServer.mechanism)
                == .channelBindingMismatch)
        #expect(try self.boundFailure(final: bytes(self.vector.clientFinal)) == .channelBindingMismatch)
    }

    @Test func mockFailsAtTheEndEvenWithTheRightProof() throws {
        var server = try self.server(self.vector, isMock: true)
        #expect(text(try server.receiveFirst(bytes(self.vector.clientFirst))) == self.vector.serverFirst)
        #expect(throws: SCRAMFailure.proofInvalid) { try server.receiveFinal(bytes(self.vector.clientFinal)) }
    }

    @Test func clientThatSupportsBindingIsAdmitted() throws {
        let first = "y,,n=,r=a"
        #expect(try self.failure(first: bytes(first)) == nil)
        // `c=` has to repeat the flag that was sent.
        #expect(try self.failure(final: bytes(self.vector.clientFinal), first: first) == .channelBindingMismatch)
        let echoed = self.vector.clientFinal.replacing("biws", with: "eSws")
        #expect(try self.failure(final: bytes(echoed)) == .channelBindingMismatch)
        // The proof covers the flag, so the right echo with the proof of another transcript still fails.
        #expect(try self.failure(final: bytes(echoed), first: first) == .proofInvalid)
    }

    @Test(arguments: [
        ("p=tls-server-end-point,,n=,r=a", SCRAMFailure.channelBindingRefused), ("p,,n=,r=a", .channelBindingRefused),
        ("n,a=admin,n=,r=a", .authorizationIdentityRefused), ("n,,m=x,n=,r=a", .extensionRefused),
        ("", .malformed("gs2 flag")), ("x,,n=,r=a", .malformed("gs2 flag")), ("n", .malformed("gs2 header")),
        ("n,", .malformed("gs2 header")), ("n,x,n=,r=a", .malformed("gs2 header")),
        ("n,,", .malformed("attribute name")),
        ("n,,n", .malformed("attribute without =")), ("n,,n=", .malformed("comma expected")),
        ("n,,n=,", .malformed("attribute name")), ("n,,n=,r=", .malformed("nonce")), ("n,,n=,r= ", .malformed("nonce")),
        ("n,,n=,r=a b", .malformed("nonce")), ("n,,n=,r=\u{e4}", .malformed("nonce")),
        ("n,,r=a,n=", .malformed("attribute n expected")), ("n,,n=,x=1,r=a", .malformed("attribute r expected")),
        ("n,,n=,r=a,", .malformed("attribute name")), ("n,,n=,r=a,1=b", .malformed("attribute name")),
        ("n,,n=,r=a,x", .malformed("attribute without =")), ("n,,n=,r=a\u{0}", .malformed("NUL byte")),
    ])
    func firstMessageIsRefused(message: String, expected: SCRAMFailure) throws {
        #expect(try self.failure(first: bytes(message)) == expected)
    }

    @Test func firstMessageBounds() throws {
        let longest = String(repeating: "a", count: SCRAMLimits.nonceBytesMax)
        #expect(try self.failure(first: bytes("n,,n=,r=" + longest)) == nil)
        #expect(try self.failure(first: bytes("n,,n=,r=a" + longest)) == .malformed("nonce"))
        let name = String(repeating: "u", count: SCRAMLimits.messageBytesMax - 8)
        #expect(try self.failure(first: bytes("n,,n=\(name),r=a")) == .malformed("too long"))
        #expect(try self.failure(first: bytes("n,,n=\(name.dropLast()),r=a")) == nil)
        #expect(try self.failure(first: bytes("n,,n=some=2Cbody,r=a,x=optional,y=")) == nil)
    }

    @Test(arguments: [
        ("", SCRAMFailure.malformed("attribute name")), ("c=biws", .malformed("comma expected")),
        ("c=biws,r=ab", .malformed("comma expected")), ("r=ab,c=biws,p=AAAA", .malformed("attribute c expected")),
        ("c=biws,r=ab,p=", .malformed("proof")), ("c=biws,r=ab,p=AAAA", .malformed("proof")),
        ("c=biws,r=ab,p=qZ31CjOY0yapFWXl3NzHnRnnsbQBAMsNKDMCMyl0RDc", .malformed("proof")),
        ("c=biws,r=ab,p=qZ31CjOY0yapFWXl3NzHnRnnsbQBAMsNKDMCMyl0RDc=,x=1", .malformed("bytes behind the proof")),
        ("c=biws,r=aB,p=qZ31CjOY0yapFWXl3NzHnRnnsbQBAMsNKDMCMyl0RDc=", .nonceMismatch),
        ("c=biws,r=a,p=qZ31CjOY0yapFWXl3NzHnRnnsbQBAMsNKDMCMyl0RDc=", .nonceMismatch),
        ("c=biws,r=abc,p=qZ31CjOY0yapFWXl3NzHnRnnsbQBAMsNKDMCMyl0RDc=", .nonceMismatch),
        ("c=,r=ab,p=qZ31CjOY0yapFWXl3NzHnRnnsbQBAMsNKDMCMyl0RDc=", .channelBindingMismatch),
        ("c=*,r=ab,p=qZ31CjOY0yapFWXl3NzHnRnnsbQBAMsNKDMCMyl0RDc=", .channelBindingMismatch),
        ("c=biws,r=ab,p=rZ31CjOY0yapFWXl3NzHnRnnsbQBAMsNKDMCMyl0RDc=", .proofInvalid),
        ("c=biws,r=ab,x=1,p=qZ31CjOY0yapFWXl3NzHnRnnsbQBAMsNKDMCMyl0RDc=", .proofInvalid),
    ])
    func finalMessageIsRefused(message: String, expected: SCRAMFailure) throws {
        #expect(try self.failure(final: bytes(message)) == expected)
    }

    @Test func onlyTheRightProofPasses() throws {
        for mutated in mutations(of: bytes(self.vector.clientFinal)) where mutated != bytes(self.vector.clientFinal) {
            #expect(try self.failure(final: mutated) != nil)
        }
    }

    @Test func noFirstMessageTraps() throws {
        for mutated in mutations(of: bytes("n,,n=user,r=abc,x=1")) {
            _ = try self.failure(first: mutated)
        }
    }

    @Test func messagesOutOfOrderEndTheExchange() throws {
        var early = try self.server(self.vector)
        #expect(throws: SCRAMFailure.outOfOrder) { try early.receiveFinal(bytes(self.vector.clientFinal)) }
        #expect(throws: SCRAMFailure.outOfOrder) { try early.receiveFirst(bytes(self.vector.clientFirst)) }
        var twice = try self.server(self.vector)
        _ = try twice.receiveFirst(bytes(self.vector.clientFirst))
        #expect(throws: SCRAMFailure.outOfOrder) { try twice.receiveFirst(bytes(self.vector.clientFirst)) }
        #expect(throws: SCRAMFailure.outOfOrder) { try twice.receiveFinal(bytes(self.vector.clientFinal)) }
        var failed = try self.server(self.vector)
        _ = try failed.receiveFirst(bytes(self.vector.clientFirst))
        #expect(throws: SCRAMFailure.self) { try failed.receiveFinal(bytes("c=biws")) }
        #expect(throws: SCRAMFailure.outOfOrder) { try failed.receiveFinal(bytes(self.vector.clientFinal)) }
    }

    @Test func noncesAreFreshAndPrintable() {
        let nonces = (0..<50).map { _ in RandomBytes.nonce() }
        #expect(Set(nonces).count == 50)
        #expect(nonces.allSatisfy { nonce in nonce.count == 24 && !nonce.contains(UInt8(ascii: ",")) })
    }
}
