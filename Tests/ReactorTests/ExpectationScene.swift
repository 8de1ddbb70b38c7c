import CReactor
import Glibc

@testable import Reactor

/// A worker with an endpoint over TCP that expects long messages, and the peer that writes them.
struct ExpectationScene {
    let worker: Worker
    let other: Worker
    let probe: Probe
    let peer: Peer

    init(receiveBuffer: Int32? = nil) throws {
        self.worker = try Worker.immortal(index: 1)
        self.other = try Worker.immortal(index: 2)
        let (descriptor, peer) = try Sockets.tcpPair()
        if let receiveBuffer { cr_set_buffer(descriptor, receiveBuffer) }
        var on: Int32 = 1
        let size = socklen_t(MemoryLayout<Int32>.size)
        _ = unsafe setsockopt(peer.descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, &on, size)
        self.peer = peer
        self.probe = Probe(descriptor: descriptor, worker: self.worker)
        _ = fcntl(descriptor, F_SETFL, O_NONBLOCK)
        self.worker.attach(self.probe)
        settle(self.worker)
    }

    /// The probe takes one message of `length` bytes as the relay does it: after each delivery it says what is
    /// still to come.
    func expectMessage(of length: Int) {
        self.probe.expect(length)
        self.probe.taking = { probe, count in
            probe.expect(max(length - probe.consumed.count - count, 0))
            return count
        }
    }

    /// Writes piece by piece, the worker running after each; nobody waits where the kernel takes no more.
    func write(_ bytes: [UInt8], pieces size: Int, settlingEachTime: Bool = true) -> Bool {
        var offset = 0
        return pump(self.worker) {
            while offset < bytes.count {
                let count = min(size, bytes.count - offset)
                let sent = unsafe bytes.withUnsafeBytes { buffer in
                    unsafe Glibc.send(
                        self.peer.descriptor,
                        buffer.baseAddress.map { unsafe $0 + offset },
                        count,
                        Int32(MSG_NOSIGNAL) | Int32(MSG_DONTWAIT)
                    )
                }
                if sent < 0 { return false }
                offset += sent
                if settlingEachTime { settle(self.worker) }
            }
            return true
        }
    }

    /// What the kernel has.
    var mark: Int32 {
        var value: Int32 = -1
        var size = socklen_t(MemoryLayout<Int32>.size)
        _ = unsafe getsockopt(self.probe.descriptor, SOL_SOCKET, SO_RCVLOWAT, &value, &size)
        return value
    }
}
