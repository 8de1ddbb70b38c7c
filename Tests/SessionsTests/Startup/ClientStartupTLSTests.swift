import PGWire
import Sessions
import Testing

/// Start-up where TLS is offered or required.
@Suite struct ClientStartupTLSTests {
    /// A client's side of one start-up: the words of the steps it was given, in order.
    private struct Client {
        var startup: ClientStartup
        var steps: [String] = []

        init(_ tls: ClientStartup.TLSOffer) { self.startup = ClientStartup(tls: tls) }

        /// Feeds one read; goes on after replies, as the driver does.
        mutating func send(_ read: [UInt8]) {
            var offset = 0
            while offset < read.count {
                let (consumed, step) = self.startup.receive(read.span.extracting(offset..<read.count))
                #expect((0...(read.count - offset)).contains(consumed))
                offset += consumed
                switch step {
                case .wait: continue
                case .reply(let answer):
                    self.steps.append("reply \(text(answer))")
                    continue
                case .startTLS: self.steps.append("TLS, \(read.count - offset) left")
                case .startDirectTLS: self.steps.append("direct TLS, \(consumed) consumed")
                case .cancel(let request): self.steps.append("cancel \(request.processID)")
                case .login(let login): self.steps.append("login \(login.user)")
                case .refuse(let fields): self.steps.append("\(fields.sqlState?.text ?? ""): \(fields.message)")
                case .hangUp(let error): self.steps.append("hang up: \(error)")
                }
                return
            }
        }
    }

    private func steps(_ tls: ClientStartup.TLSOffer, _ reads: [[UInt8]]) -> [String] {
        var client = Client(tls)
        for read in reads { client.send(read) }
        return client.steps
    }

    /// The same behind a handshake that was begun by the first read.
    private func inside(_ tls: ClientStartup.TLSOffer, first: [UInt8], _ reads: [[UInt8]]) -> [String] {
        var client = Client(tls)
        client.send(first)
        client.startup.tlsStarted()
        for read in reads { client.send(read) }
        return client.steps
    }

    private func packet(_ write: (inout MessageWriter) -> Void) -> [UInt8] {
        var writer = MessageWriter()
        write(&writer)
        return writer.take()
    }

    private var ssl: [UInt8] { self.packet { $0.sslRequest() } }
    private var gss: [UInt8] { self.packet { $0.gssEncRequest() } }
    private var cancel: [UInt8] { self.packet { $0.cancelRequest(processID: 7, secret: [1, 2, 3, 4]) } }
    private var login: [UInt8] { self.packet { $0.startupMessage(version: .v3_0, parameters: [("user", "u")]) } }
    private let hello: [UInt8] = [0x16, 3, 1, 2, 0, 1]
    private let demand = "28000: the server requires TLS: connect with sslmode=require or stronger"
    private let noDirect = "hang up: TLS without a request for it is not offered here"

    @Test func tlsBeginsAfterItsRequest() {
        for tls in [ClientStartup.TLSOffer.offered, .required] {
            #expect(self.steps(tls, [self.ssl]) == ["TLS, 0 left"])
            #expect(self.steps(tls, [self.gss, self.ssl]) == ["reply N", "TLS, 0 left"])
            #expect(self.inside(tls, first: self.ssl, [self.login]) == ["TLS, 0 left", "login u"])
            #expect(self.inside(tls, first: self.ssl, [self.cancel]) == ["TLS, 0 left", "cancel 7"])
        }
        #expect(self.steps(.none, [self.ssl, self.login]) == ["reply N", "login u"])
    }

    @Test func tlsMayBeginDirectly() {
        for tls in [ClientStartup.TLSOffer.offered, .required] {
            #expect(self.steps(tls, [self.hello]) == ["direct TLS, 0 consumed"])
            #expect(self.steps(tls, [[0x16]]) == ["direct TLS, 0 consumed"])
            #expect(self.inside(tls, first: self.hello, [self.login]) == ["direct TLS, 0 consumed", "login u"])
            #expect(self.inside(tls, first: self.hello, [self.cancel]) == ["direct TLS, 0 consumed", "cancel 7"])
        }
        #expect(self.steps(.none, [self.hello]) == [self.noDirect])
    }

    @Test func clearTextIsRefusedWhereTLSIsRequired() {
        #expect(self.steps(.required, [self.login]) == [self.demand])
        #expect(self.steps(.required, [self.gss, self.login]) == ["reply N", self.demand])
        #expect(self.steps(.required, self.login.map { [$0] }) == [self.demand])
        #expect(self.steps(.required, [self.cancel]) == ["cancel 7"])
        #expect(self.steps(.offered, [self.login]) == ["login u"])
        #expect(self.steps(.offered, [self.cancel]) == ["cancel 7"])
    }

    /// A remembered packet must not slip past the demand for TLS.
    @Test func startupMessagesAreTakenOnlyWhereTheyCount() {
        #expect(ClientStartup(tls: .none).takesStartupMessage && ClientStartup(tls: .offered).takesStartupMessage)
        var client = Client(.required)
        #expect(!client.startup.takesStartupMessage && client.startup.isBetweenPackets)
        client.send(self.ssl)
        #expect(!client.startup.takesStartupMessage && !client.startup.isBetweenPackets)
        client.startup.tlsStarted()
        #expect(client.startup.takesStartupMessage && client.startup.isBetweenPackets)
        client.send(Array(self.login.prefix(3)))
        #expect(!client.startup.takesStartupMessage)
        var untouched = Client(.required)
        untouched.startup.tlsStarted()
        #expect(!untouched.startup.takesStartupMessage)
    }

    /// Bytes behind the request would pass for encrypted ones (CVE-2021-23214).
    @Test func bytesStuffedBehindTheRequestAreRefused() {
        for stuffing in [[0], self.login, self.hello, self.gss] {
            #expect(
                self.steps(.offered, [self.ssl + stuffing])
                    == ["08P01: received unencrypted data after SSL request"])
            #expect(
                self.steps(.required, [Array(self.ssl.prefix(5)), Array(self.ssl.suffix(3)) + stuffing])
                    == ["08P01: received unencrypted data after SSL request"])
        }
    }

    @Test func encryptionIsNotAskedForInsideTLS() {
        for first in [self.ssl, self.hello] {
            #expect(
                self.inside(.offered, first: first, [self.ssl]).last == "08P01: SSL request on an encrypted connection")
            #expect(
                self.inside(.offered, first: first, [self.gss]).last
                    == "08P01: GSSAPI encryption request on an encrypted connection")
            #expect(self.inside(.offered, first: first, [self.hello]).last?.hasPrefix("hang up") == true)
        }
        let afterGSS = [self.gss, self.ssl].reduce(into: Client(.offered)) { $0.send($1) }
        var client = afterGSS
        client.startup.tlsStarted()
        client.send(self.gss)
        #expect(client.steps.last == "08P01: GSSAPI encryption request on an encrypted connection")
    }

    /// A handshake record after other packets, in the middle of one, or while the handshake runs.
    @Test func directTLSComesFirstOrNotAtAll() {
        #expect(self.steps(.offered, [self.gss, self.hello]).last?.hasPrefix("hang up") == true)
        #expect(self.steps(.none, [self.ssl, self.hello]).last?.hasPrefix("hang up") == true)
        #expect(self.steps(.offered, [[0], self.hello]).last?.hasPrefix("hang up") == true)
        #expect(self.steps(.offered, [self.ssl, self.hello]).last == self.noDirect)
        #expect(self.steps(.offered, [self.hello, self.login]).last == self.noDirect)
    }

    @Test func everySplitGivesTheSame() {
        for split in splits(of: self.ssl) {
            #expect(self.steps(.offered, split) == ["TLS, 0 left"])
        }
        for split in splits(of: self.login) {
            #expect(self.inside(.required, first: self.ssl, split) == ["TLS, 0 left", "login u"])
        }
    }

    @Test func mutatedPacketsNeverTrap() {
        for packet in [self.login, self.cancel, self.ssl, self.hello] {
            for mutation in mutations(of: packet) {
                for tls in [ClientStartup.TLSOffer.none, .offered, .required] {
                    #expect(self.steps(tls, [mutation]).count <= 2)
                    #expect(!self.steps(.required, [mutation]).contains { $0.hasPrefix("login") })
                }
            }
        }
    }
}
