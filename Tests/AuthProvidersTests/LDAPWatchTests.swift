import CLDAP
import Dispatch
import Glibc
import Testing

@testable import AuthProviders

/// A directory that goes silent in the middle of something holds no thread for good.
struct LDAPWatchTests {
    /// libldap writes to what the watch has shut down; the gateway ignores the signal as well.
    init() { _ = signal(SIGPIPE, SIG_IGN) }

    /// Two ends of a connection; the test closes both. Reads from the first fail after a time that a watch never needs.
    private static func connection() throws -> (mine: Int32, other: Int32) {
        var ends: [Int32] = [-1, -1]
        let result = unsafe socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0, &ends)
        try #require(result == 0)
        var limit = timeval(tv_sec: 20, tv_usec: 0)
        let size = socklen_t(MemoryLayout<timeval>.size)
        let isSet = unsafe setsockopt(ends[0], SOL_SOCKET, SO_RCVTIMEO, &limit, size)
        try #require(isSet == 0)
        return (ends[0], ends[1])
    }

    /// Listens on a free port of 127.0.0.1, and waits for nobody; the test closes it.
    private static func listener() throws -> (socket: Int32, port: UInt16) {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        try #require(descriptor >= 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let status = unsafe withUnsafeMutablePointer(to: &address) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { generic in
                guard unsafe bind(descriptor, generic, length) == 0 else { return Int32(-1) }
                return unsafe getsockname(descriptor, generic, &length)
            }
        }
        try #require(status == 0)
        try #require(fcntl(descriptor, F_SETFL, O_NONBLOCK) == 0)
        try #require(listen(descriptor, 8) == 0)
        return (descriptor, UInt16(bigEndian: address.sin_port))
    }

    /// What a thread reads that waits for the other end: 0 for the end of the connection, -1 when it does not come.
    private static func read(_ socket: Int32) -> Int {
        var byte: UInt8 = 0
        return unsafe recv(socket, &byte, 1, 0)
    }

    @Test func aCallThatWaitsTooLongIsEnded() throws {
        let (mine, other) = try Self.connection()
        defer {
            close(mine)
            close(other)
        }
        let watch = LDAPWatch(timeout: .milliseconds(50))
        let first = watch.during {
            watch.opened(mine)
            return Int32(Self.read(mine))
        }
        #expect(first == 0)
        watch.closed(mine)
    }

    @Test func aSecondCallHasItsOwnTime() throws {
        let (mine, other) = try Self.connection()
        defer {
            close(mine)
            close(other)
        }
        let watch = LDAPWatch(timeout: .milliseconds(50))
        _ = watch.during {
            watch.opened(mine)
            return 0
        }
        #expect(watch.during { Int32(Self.read(mine)) } == 0)
        watch.closed(mine)
    }

    /// libldap knows no end of this by itself.
    @Test func aDirectoryThatSaysNothingAboutTLSIsLeft() throws {
        let (listener, port) = try Self.listener()
        defer { close(listener) }
        let watch = LDAPWatch(timeout: .milliseconds(50))
        var made: OpaquePointer?
        let result = unsafe ldap_initialize(&made, "ldaps://127.0.0.1:\(port)")
        try #require(result == LDAP_SUCCESS)
        guard let handle = unsafe made else { return }
        // The watch has to outlive the handle.
        defer { withExtendedLifetime(watch) { _ = unsafe ldap_unbind_ext_s(handle, nil, nil) } }
        let attached = unsafe watch.attach(to: handle)
        #expect(attached == LDAP_SUCCESS)
        // Where the watch is broken, this ends the connection, which nobody has accepted.
        let guardian = DispatchWorkItem { _ = shutdown(listener, Int32(SHUT_RDWR)) }
        DispatchQueue.global().asyncAfter(deadline: .now() + 20, execute: guardian)
        defer { guardian.cancel() }
        let start = ContinuousClock.now
        var credential = unsafe berval()
        let bound = watch.during { unsafe ldap_sasl_bind_s(handle, "cn=nobody", nil, &credential, nil, nil, nil) }
        #expect(bound != LDAP_SUCCESS)
        #expect(ContinuousClock.now - start < .seconds(15))
        let accepted = accept(listener, nil, nil)
        #expect(accepted >= 0, "it was asked at all")
        close(accepted)
    }

    @Test func whatIsOverIsLeftAlone() throws {
        let (mine, other) = try Self.connection()
        let (idle, itsOther) = try Self.connection()
        defer { for socket in [mine, other, idle, itsOther] { close(socket) } }
        let watch = LDAPWatch(timeout: .milliseconds(50))
        _ = watch.during {
            watch.opened(idle)
            watch.opened(mine)
            watch.closed(mine)
            return 0
        }
        // Later than the end of both.
        let clock = LDAPWatch(timeout: .milliseconds(200))
        let (late, itsEnd) = try Self.connection()
        defer { for socket in [late, itsEnd] { close(socket) } }
        _ = clock.during {
            clock.opened(late)
            return Int32(Self.read(late))
        }
        for (left, right) in [(mine, other), (idle, itsOther)] {
            var byte: UInt8 = 7
            #expect(unsafe send(right, &byte, 1, 0) == 1)
            #expect(Self.read(left) == 1)
        }
    }
}
