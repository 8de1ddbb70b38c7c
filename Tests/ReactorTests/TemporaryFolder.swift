import Glibc

@testable import Reactor

/// A folder that goes with its owner.
final class TemporaryFolder {
    let path: String

    init() throws {
        var template = Array((P_tmpdir + "/reactor-XXXXXX").utf8CString)
        guard let made = unsafe mkdtemp(&template) else { throw ReactorError(code: errno, operation: "mkdtemp") }
        self.path = unsafe String(cString: made)
    }

    func holds(_ name: String) -> Bool { unsafe access(self.path + "/" + name, F_OK) == 0 }

    deinit {
        if let folder = unsafe opendir(self.path) {
            while let entry = unsafe readdir(folder) {
                let name = unsafe withUnsafeBytes(of: entry.pointee.d_name) { bytes in
                    unsafe String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
                }
                unsafe unlink(self.path + "/" + name)
            }
            unsafe closedir(folder)
        }
        unsafe rmdir(self.path)
    }
}
