import Testing

@testable import TLSEngine

/// Bytes that were changed on their way: nothing traps or hangs, and nothing false comes out.
@Suite struct FuzzTests {
    /// Flips, cuts, doubles or stuffs some bytes.
    private static func mutate(_ bytes: inout [UInt8], _ dice: inout Dice) {
        for _ in 0...Int.random(in: 0..<3, using: &dice) where !bytes.isEmpty {
            let at = Int.random(in: bytes.indices, using: &dice)
            let end = min(bytes.count, at + Int.random(in: 1...8, using: &dice))
            switch Int.random(in: 0..<6, using: &dice) {
            case 0, 1: bytes[at] ^= 1 << UInt8.random(in: 0..<8, using: &dice)
            case 2: bytes[at] = UInt8.random(in: 0...255, using: &dice)
            case 3: bytes.removeSubrange(at..<end)
            case 4: bytes.insert(contentsOf: bytes[at..<end], at: at)
            default: bytes.removeSubrange(at...)
            }
        }
    }

    @Test(arguments: TLSVersion.allCases) func firstWords(version: TLSVersion) throws {
        var dice = Dice(seed: 1)
        let client = try TLSSession(
            connectingWith: Contexts.client { $0.maximumVersion = version }, host: "db.example.com", isDirect: false)
        var hello: [UInt8] = []
        _ = client.step([], &hello)
        let context = try Contexts.server()
        var failures = 0
        for _ in 0..<2000 {
            let server = try TLSSession(accepting: context)
            var (sent, output): ([UInt8], [UInt8]) = (hello, [])
            Self.mutate(&sent, &dice)
            let step = server.step(sent, &output)
            #expect(step != .done)
            if case .failed = step { failures += 1 }
            #expect(output.count < 65536)
        }
        #expect(failures > 100)
    }

    /// Every flight of both sides may be changed, certificates of clients among them.
    @Test(arguments: TLSVersion.allCases) func flights(version: TLSVersion) throws {
        let (authority, identity) = (try Certificates.authority.get(), try Certificates.client.get())
        let server = try Contexts.server {
            $0.clientAuthorities = authority.certificate
            $0.clientCertificate = .required
            $0.maximumVersion = version
        }
        let client = try Contexts.trustingClient {
            $0.certificateChain = identity.certificate
            $0.privateKey = identity.key
        }
        var dice = Dice(seed: 2)
        var (done, changed) = (0, 0)
        for _ in 0..<500 {
            var pair = try Pair(server: server, client: client)
            _ = pair.client.step([], &pair.toServer)
            var steps: (TLSHandshake, TLSHandshake) = (.needsInput, .needsInput)
            var isChanged = false
            for _ in 0..<8 where !pair.toServer.isEmpty || !pair.toClient.isEmpty {
                var flight = Pair.take(&pair.toServer, .max)
                isChanged = Self.perhaps(&flight, &dice) || isChanged
                if !flight.isEmpty { steps.0 = pair.server.step(flight, &pair.toClient) }
                flight = Pair.take(&pair.toClient, .max)
                isChanged = Self.perhaps(&flight, &dice) || isChanged
                if !flight.isEmpty { steps.1 = pair.client.step(flight, &pair.toServer) }
            }
            if isChanged { changed += 1 }
            guard steps == (.done, .done) else {
                #expect(isChanged)
                continue
            }
            done += 1
            #expect(pair.server.peerCertificate?.commonName == "app")
        }
        #expect(changed > 150)
        #expect(done > 10)
    }

    private static func perhaps(_ flight: inout [UInt8], _ dice: inout Dice) -> Bool {
        guard !flight.isEmpty, Bool.random(using: &dice) else { return false }
        let before = flight
        Self.mutate(&flight, &dice)
        return flight != before
    }

    /// Whatever becomes of records, what is opened is a beginning of what was sealed.
    @Test(arguments: TLSVersion.allCases) func records(version: TLSVersion) throws {
        var dice = Dice(seed: 3)
        for round in 0..<1500 {
            let pair = try Pair.connected(version)
            let plain = Dice.bytes(round % 700)
            var sealed: [UInt8] = []
            for start in stride(from: 0, to: plain.count, by: 100) {
                sealed += pair.client.seal(Array(plain[start..<min(plain.count, start + 100)])).bytes
            }
            if round.isMultiple(of: 5) { sealed += pair.client.close() }
            Self.mutate(&sealed, &dice)
            var opened: [UInt8] = []
            while !sealed.isEmpty {
                let part = pair.server.open(Pair.take(&sealed, Int.random(in: 1...400, using: &dice)))
                opened += part.plain
                if part.state != .goesOn { break }
            }
            #expect(plain.starts(with: opened))
        }
    }

    @Test func noise() throws {
        var dice = Dice(seed: 4)
        let context = try Contexts.server()
        for _ in 0..<2000 {
            let server = try TLSSession(accepting: context)
            var bytes = (0..<Int.random(in: 1...600, using: &dice)).map { _ in UInt8.random(in: 0...255, using: &dice) }
            // Half of them look like a record of a handshake at first.
            if Bool.random(using: &dice) { bytes.replaceSubrange(0..<min(6, bytes.count), with: [22, 3, 1, 1, 0, 1]) }
            var output: [UInt8] = []
            #expect(server.step(bytes, &output) != .done)
        }
    }
}
