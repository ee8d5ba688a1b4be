//! Packages that are imported under another name than they are installed by.
//!
//! Only well-known ones whose two names differ by more than spelling. Where several packages
//! provide the same module, the usual one comes first.

use sandgate_core::Language;

/// Module, package. Sorted by module.
const PYTHON: &[(&str, &str)] = &[
    ("Bio", "biopython"),
    ("Crypto", "pycryptodome"),
    ("Cryptodome", "pycryptodomex"),
    ("Levenshtein", "levenshtein"),
    ("Levenshtein", "python-levenshtein"),
    ("MySQLdb", "mysqlclient"),
    ("OpenGL", "pyopengl"),
    ("OpenSSL", "pyopenssl"),
    ("PIL", "pillow"),
    ("Xlib", "python-xlib"),
    ("attr", "attrs"),
    ("azure.identity", "azure-identity"),
    ("azure.storage.blob", "azure-storage-blob"),
    ("barcode", "python-barcode"),
    ("bs4", "beautifulsoup4"),
    ("bs4", "bs4"),
    ("bson", "pymongo"),
    ("can", "python-can"),
    ("community", "python-louvain"),
    ("cv2", "opencv-python"),
    ("cv2", "opencv-contrib-python"),
    ("cv2", "opencv-contrib-python-headless"),
    ("cv2", "opencv-python-headless"),
    ("dateutil", "python-dateutil"),
    ("discord", "discord-py"),
    ("docx", "python-docx"),
    ("dotenv", "python-dotenv"),
    ("faiss", "faiss-cpu"),
    ("faiss", "faiss-gpu"),
    ("ffmpeg", "ffmpeg-python"),
    ("fitz", "pymupdf"),
    ("gi", "pygobject"),
    ("git", "gitpython"),
    ("github", "pygithub"),
    ("google.cloud.bigquery", "google-cloud-bigquery"),
    ("google.cloud.storage", "google-cloud-storage"),
    ("google.generativeai", "google-generativeai"),
    ("google.protobuf", "protobuf"),
    ("googleapiclient", "google-api-python-client"),
    ("grpc", "grpcio"),
    ("igraph", "python-igraph"),
    ("jose", "python-jose"),
    ("jwt", "pyjwt"),
    ("kafka", "kafka-python"),
    ("ldap", "python-ldap"),
    ("magic", "python-magic"),
    ("markdown_it", "markdown-it-py"),
    ("mpl_toolkits", "matplotlib"),
    ("multipart", "python-multipart"),
    ("mysql.connector", "mysql-connector-python"),
    ("nacl", "pynacl"),
    ("odf", "odfpy"),
    ("past", "future"),
    ("pkg_resources", "setuptools"),
    ("playhouse", "peewee"),
    ("pptx", "python-pptx"),
    ("psycopg2", "psycopg2-binary"),
    ("psycopg2", "psycopg2"),
    ("pylab", "matplotlib"),
    ("pythoncom", "pywin32"),
    ("pywintypes", "pywin32"),
    ("rest_framework", "djangorestframework"),
    ("ruamel.yaml", "ruamel-yaml"),
    ("serial", "pyserial"),
    ("skimage", "scikit-image"),
    ("sklearn", "scikit-learn"),
    ("sklearn", "sklearn"),
    ("skopt", "scikit-optimize"),
    ("slugify", "python-slugify"),
    ("snappy", "python-snappy"),
    ("socks", "pysocks"),
    ("speech_recognition", "speechrecognition"),
    ("surprise", "scikit-surprise"),
    ("talib", "ta-lib"),
    ("telegram", "python-telegram-bot"),
    ("tensorflow", "tensorflow"),
    ("tensorflow", "tensorflow-cpu"),
    ("tensorflow", "tensorflow-gpu"),
    ("umap", "umap-learn"),
    ("usb", "pyusb"),
    ("vlc", "python-vlc"),
    ("websocket", "websocket-client"),
    ("win32api", "pywin32"),
    ("win32com", "pywin32"),
    ("xgboost", "xgboost"),
    ("xgboost", "xgboost-cpu"),
    ("yaml", "pyyaml"),
    ("zmq", "pyzmq"),
];

/// The usual package of the Python module `module` or of the nearest of its parents.
pub(super) fn package_of(module: &str) -> Option<&'static str> {
    let mut name = module;
    loop {
        let at = PYTHON.partition_point(|(module, _)| *module < name);
        if let Some((known, package)) = PYTHON.get(at)
            && *known == name
        {
            return Some(package);
        }
        (name, _) = name.rsplit_once('.')?;
    }
}

/// The modules of the package with the normalised name `package`.
pub(super) fn modules_of(language: Language, package: &str) -> impl Iterator<Item = &'static str> {
    let table = match language {
        Language::Python => PYTHON,
        Language::JavaScript | Language::TypeScript | Language::R => &[],
    };
    let rows = table.iter().filter(move |(_, known)| *known == package);
    rows.map(|(module, _)| *module)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_sorted_and_normalised() {
        for pair in PYTHON.windows(2) {
            assert!(pair[0].0 <= pair[1].0, "{} {}", pair[0].0, pair[1].0);
        }
        for (module, package) in PYTHON {
            assert_eq!(
                super::super::normalised(Language::Python, package),
                *package,
                "{module}"
            );
        }
    }
}
