import Glibc
import Testing

@testable import Reactor

/// Which driver is used, and what happens where io_uring is forbidden.
@Suite struct IOMethodTests {
    @Test(.enabled(if: Driver.tested.contains(.ioUring), "io_uring is not granted here"))
    func wantedDriverIsUsed() throws {
        #expect(try IOMethod.makeWorkers(2, wanted: nil).method == .ioUring)
        #expect(try IOMethod.makeWorkers(2, wanted: .ioUring).workers.count == 2)
        let epoll = try IOMethod.makeWorkers(2, wanted: .epoll)
        #expect(epoll.method == .epoll && epoll.whyNoRing == nil)
    }

    /// In a process of its own that may not set rings up, as in many containers.
    @Test func epollTakesItsPlace() async {
        await #expect(processExitsWith: .success) {
            guard Self.forbidRings() else { exit(2) }
            guard IOMethod.whyNoRing()?.code == EPERM else { exit(3) }
            do throws(ReactorError) {
                _ = try IOMethod.makeWorkers(1, wanted: .ioUring)
                exit(4)
            } catch {
                guard error.code == EPERM, error.operation == "io_uring" else { exit(5) }
            }
            let made = try IOMethod.makeWorkers(2, wanted: nil)
            guard made.method == .epoll, made.workers.count == 2, made.whyNoRing?.code == EPERM else { exit(6) }
            let (descriptor, peer) = Sockets.pair()
            let probe = Probe(descriptor: descriptor, worker: made.workers[0])
            made.workers[0].attach(probe)
            peer.write([1])
            guard pump(made.workers[0], until: { probe.consumed == [1] }) else { exit(7) }
            exit(0)
        }
    }

    /// A seccomp filter that answers EPERM to io_uring_setup, for this thread.
    private static func forbidRings() -> Bool {
        typealias Control = @convention(c) (Int32, Int, Int, Int, Int) -> Int32
        // `prctl` takes any number of arguments, so Swift does not import it.
        guard let symbol = unsafe dlsym(nil, "prctl") else { return false }
        let prctl = unsafe unsafeBitCast(symbol, to: Control.self)
        // struct sock_filter: load the number; if it is 425, EPERM, else go on.
        let filter: [UInt64] = [0x20, 425 << 32 | 0x0100_0015, 0x0005_0001 << 32 | 6, 0x7fff_0000 << 32 | 6]
        return unsafe filter.withUnsafeBytes { filter in
            let program = [4, Int(bitPattern: filter.baseAddress)]
            return unsafe program.withUnsafeBytes { program in
                prctl(38, 1, 0, 0, 0) == 0 && prctl(22, 2, Int(bitPattern: program.baseAddress), 0, 0) == 0
            }
        }
    }
}
