import Glibc
import Testing

@testable import Reactor

/// Socket files. In order, because a new file's mode goes through the umask of the process.
@Suite(.serialized) struct UnixListenerTests {
    private func listen(_ path: String, mode: Int32 = 0o600) throws(ReactorError) -> Int32 {
        try ListeningSocket.unix(path: path, backlog: 4, mode: mode)
    }

    private func failure(_ path: String) -> Int32? {
        do throws(ReactorError) {
            ListeningSocket.close(try self.listen(path))
            return nil
        } catch {
            return error.code
        }
    }

    @Test(arguments: [0o600, 0o660, 0o777, 0o700] as [Int32])
    func modeBits(mode: Int32) throws {
        let folder = try TemporaryFolder()
        let path = folder.path + "/s"
        let descriptor = try self.listen(path, mode: mode)
        defer { ListeningSocket.close(descriptor) }
        var status = stat()
        #expect(unsafe stat(path, &status) == 0)
        #expect(status.st_mode & 0o7777 == UInt32(mode))
        #expect(status.st_mode & S_IFMT == S_IFSOCK)
    }

    @Test func umaskIsLeftAlone() throws {
        let folder = try TemporaryFolder()
        let before = umask(0o022)
        umask(before)
        ListeningSocket.close(try self.listen(folder.path + "/s"))
        let after = umask(before)
        #expect(after == before)
    }

    @Test func staleFileIsReplacedAndALiveOneIsNot() throws {
        let folder = try TemporaryFolder()
        let path = folder.path + "/s"
        let first = try self.listen(path)
        #expect(self.failure(path) == EADDRINUSE)
        ListeningSocket.close(first)
        let second = try self.listen(path)
        #expect(self.failure(path) == EADDRINUSE)
        SocketFile(path: path).remove()
        #expect(!folder.holds("s"))
        ListeningSocket.close(second)
    }

    @Test func fileThatAnotherHasPutInItsPlaceStays() throws {
        let folder = try TemporaryFolder()
        let path = folder.path + "/s"
        let first = try self.listen(path)
        let file = SocketFile(path: path)
        #expect(unsafe unlink(path) == 0)
        let second = try self.listen(path)
        file.remove()
        #expect(folder.holds("s"))
        SocketFile(path: path).remove()
        #expect(!folder.holds("s"))
        ListeningSocket.close(first)
        ListeningSocket.close(second)
    }

    /// A live socket of another kind refuses the probe in another way than a dead one.
    @Test func datagramSocketIsNotReplaced() throws {
        let folder = try TemporaryFolder()
        let path = folder.path + "/s"
        let descriptor = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue), 0)
        defer { close(descriptor) }
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        unsafe withUnsafeMutableBytes(of: &address.sun_path) { unsafe $0.copyBytes(from: Array(path.utf8)) }
        let bound = unsafe withUnsafePointer(to: &address) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                unsafe bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        #expect(bound == 0)
        #expect(self.failure(path) == EADDRINUSE)
        #expect(folder.holds("s"))
    }

    @Test func otherFilesAreNotTouched() throws {
        let folder = try TemporaryFolder()
        let path = folder.path + "/s"
        close(unsafe open(path, O_CREAT | O_WRONLY, 0o600))
        #expect(self.failure(path) == EADDRINUSE)
        #expect(folder.holds("s"))
        #expect(self.failure(folder.path + "/missing/s") == ENOENT)
    }

    @Test func pathTooLong() throws {
        let folder = try TemporaryFolder()
        let room = 107 - folder.path.utf8.count - 1
        let longest = folder.path + "/" + String(repeating: "a", count: room)
        #expect(self.failure(longest) == nil)
        #expect(self.failure(longest + "a") == ENAMETOOLONG)
    }

    @Test func acceptedPeerHasNoAddress() throws {
        let folder = try TemporaryFolder()
        let worker = try Worker.immortal(index: 0)
        let path = folder.path + "/s"
        let door = Door(descriptor: try self.listen(path), worker: worker)
        worker.attach(door)
        let client = Probe(descriptor: -1, worker: worker)
        worker.connect(client, to: try #require(SocketAddress(unixPath: path)), options: SocketOptions())
        #expect(pump(worker) { door.accepted == 1 })
        #expect(door.peers.map(\.description) == ["unix"])
        door.close()
    }
}
