import Testing

@testable import Reactor

@Suite struct SocketAddressTests {
    @Test(arguments: [
        ("127.0.0.1", "127.0.0.1:5432"), ("255.255.255.255", "255.255.255.255:5432"), ("0.0.0.0", "0.0.0.0:5432"),
        ("::1", "[::1]:5432"), ("::", "[::]:5432"), ("fe80::1", "[fe80::1]:5432"),
        ("2001:DB8:0:0:1:0:0:1", "[2001:db8::1:0:0:1]:5432"), ("2001:db8:0:1:1:1:1:1", "[2001:db8:0:1:1:1:1:1]:5432"),
        ("1:0:0:2:0:0:0:3", "[1:0:0:2::3]:5432"), ("1:2:3:4:5:6:7:8", "[1:2:3:4:5:6:7:8]:5432"),
        ("1::", "[1::]:5432"), ("0:0:1::", "[0:0:1::]:5432"), ("::ffff:10.1.2.3", "10.1.2.3:5432"),
    ])
    func numericAddresses(text: String, description: String) throws {
        let address = try #require(SocketAddress(numericHost: text, port: 5432))
        #expect(address.description == description)
        #expect(address.isTCP && address.port == 5432)
        #expect(address.addressBytes.count == (description.hasPrefix("[") ? 16 : 4))
    }

    @Test(arguments: ["", "localhost", "1.2.3.4.5", "256.1.1.1", "::1::", "12345::", "[::1]", "1.2.3.4:5", "*", "a b"])
    func whatIsNoNumericAddress(text: String) {
        #expect(SocketAddress(numericHost: text, port: 1) == nil)
    }

    @Test func bytesInNetworkOrder() {
        #expect(SocketAddress(numericHost: "10.1.2.3", port: 1)?.addressBytes == [10, 1, 2, 3])
        #expect(
            SocketAddress(numericHost: "1:203::f", port: 1)?.addressBytes
                == [0, 1, 2, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 15]
        )
    }

    @Test func bitsInHostOrder() {
        #expect(SocketAddress(numericHost: "10.1.2.3", port: 1)?.bits == .v4(0x0a01_0203))
        #expect(SocketAddress(numericHost: "1:203::f", port: 1)?.bits == .v6(high: 0x0001_0203_0000_0000, low: 15))
        #expect(SocketAddress(numericHost: "::ffff:10.1.2.3", port: 1)?.bits == .v4(0x0a01_0203))
        #expect(SocketAddress(unixPath: "/s")?.bits == .local)
    }

    @Test func unixPaths() throws {
        let address = try #require(SocketAddress(unixPath: "/run/s.5432"))
        #expect(address.description == "unix:/run/s.5432")
        #expect(!address.isTCP && address.addressBytes.isEmpty && address.port == 0)
        #expect(SocketAddress(unixPath: String(repeating: "a", count: 107)) != nil)
        #expect(SocketAddress(unixPath: String(repeating: "a", count: 108)) == nil)
        #expect(SocketAddress(unixPath: String(repeating: "ä", count: 54)) == nil)
        #expect(SocketAddress(unixPath: "/a\0b") == nil)
    }

    @Test func resolving() {
        func texts(_ host: String) -> (found: [String], reason: String?) {
            switch SocketAddress.resolve(host: host, port: 7) {
            case .found(let addresses): (addresses.map(\.description), nil)
            case .failed(let reason), .unavailable(let reason): ([], reason)
            }
        }
        #expect(texts("127.0.0.1").found == ["127.0.0.1:7"])
        for host in ["name.invalid", String(repeating: "x", count: 5000)] {
            let (found, reason) = texts(host)
            #expect(found.isEmpty && reason?.isEmpty == false && reason != "Invalid argument")
        }
    }

    @Test func errorsSpeak() {
        #expect(ReactorError(code: 2, operation: "open").description == "open: No such file or directory")
        #expect(!SystemErrorText.of(99_999).isEmpty)
    }
}
