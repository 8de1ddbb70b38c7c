import Glibc

/// The file of a unix socket that this process listens on. Immutable; any thread.
package struct SocketFile: Sendable {
    private let path: String
    private let device: dev_t
    private let number: ino_t

    /// - Parameter path: where the socket has just been made.
    package init(path: String) {
        let (device, number) = Self.identity(of: path) ?? (0, 0)
        self.path = path
        self.device = device
        self.number = number
    }

    /// Removes the file. One that another process has put in its place meanwhile stays.
    package func remove() {
        guard let (device, number) = Self.identity(of: self.path), device == self.device, number == self.number
        else { return }
        _ = unsafe unlink(self.path)
    }

    private static func identity(of path: String) -> (dev_t, ino_t)? {
        var status = stat()
        return unsafe lstat(path, &status) == 0 ? (status.st_dev, status.st_ino) : nil
    }
}
