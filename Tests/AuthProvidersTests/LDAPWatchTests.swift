import Glibc
import Testing

@testable import AuthProviders

/// A directory that goes silent in the middle of something holds no thread for good.
struct LDAPWatchTests {
    /// Two ends of a connection; the test closes both.
    private static func connection() throws -> (mine: Int32, other: Int32) {
        var ends: [Int32] = [-1, -1]
        let result = unsafe socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0, &ends)
        try #require(result == 0)
        return (ends[0], ends[1])
    }

    /// What a thread reads that waits for the other end: 0 for the end of the connection.
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
