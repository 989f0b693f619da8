;;;; Systems: those of the workspace before those installed elsewhere, compiled into our cache, loaded with
;;;; the notes of every file. Sent to an image when a system is first asked for.

(eval-when (:compile-toplevel :load-toplevel :execute)
  (require "ASDF"))

(in-package "DESCARTES-BOOT")

(eval-when (:compile-toplevel :load-toplevel :execute)
  (export '(serve-workspace operate-on-system known-systems)))

(defparameter *systems-version* "6"
  "What a client compares with its own copy of this file; to be changed with every change of an interface.")

;;; The workspace comes first

(defvar *workspace* nil "The folder whose systems come before those installed elsewhere.")
(defvar *fasls* nil "The folder of the compiled files, in the native syntax, with a slash at its end.")
(defvar *found* nil "(SESSION TIME TABLE): the .asd files of the workspace by system, and when they were found.")

(defconstant +folders-searched+ 20000)

(defun ignored-folder-p (folder)
  (let ((name (first (last (pathname-directory folder)))))
    (or (not (stringp name))
        (zerop (length name))
        (char= #\. (char name 0))
        (string= name "node_modules"))))

(defun find-definitions-below (top)
  "Return the .asd files in and below TOP by their names; the one nearest to TOP counts."
  (let ((table (make-hash-table :test 'equal)))
    (loop with folders = (list top)
          repeat +folders-searched+
          while folders
          do (let ((folder (pop folders)))
               (dolist (file (ignore-errors (uiop:directory-files folder "*.asd")))
                 (let ((name (string-downcase (pathname-name file))))
                   (unless (gethash name table)
                     (setf (gethash name table) file))))
               (setf folders (nconc folders (remove-if #'ignored-folder-p
                                                       (ignore-errors (uiop:subdirectories folder)))))))
    table))

(defun workspace-definitions ()
  "Return the .asd files of the workspace by name; looked for once in a session of ASDF, else each second."
  (let ((session (symbol-value (or (find-symbol "*ASDF-SESSION*" "ASDF/SESSION") '*found*))))
    (destructuring-bind (&optional old-session (time 0) table) *found*
      (cond ((and table
                  (if session (eq session old-session) (< (- (get-universal-time) time) 2)))
             table)
            (t (setf *found* nil
                     table (find-definitions-below *workspace*)
                     *found* (list session (get-universal-time) table))
               table)))))

(defun workspace-system-search (name)
  "What ASDF asks first for the file that defines the system NAME."
  (when *workspace*
    (gethash (string-downcase (asdf:primary-system-name name)) (workspace-definitions))))

(defun serve-workspace (folder fasls)
  "From now on find the systems of FOLDER first, and compile into FASLS; both native names with a slash.
Without FOLDER nothing comes first; without FASLS the compiled files lie where ASDF puts them."
  (setf *workspace* (and folder (sb-ext:parse-native-namestring folder))
        *fasls* fasls
        *found* nil)
  (prepare-asdf)
  t)

;;; Compiled files

(defmacro with-compiled-files-in-cache (&body body)
  "Run BODY so that no file is written into anybody's sources; other threads are not concerned."
  `(progv (list (uiop:find-symbol* '#:*output-translations* '#:asdf)) (list nil)
     (when *fasls*
       (asdf:initialize-output-translations
        `(:output-translations (t (,*fasls* :implementation :**/ :*.*.*)) :ignore-inherited-configuration)))
     ,@body))

(defvar *performed* nil "A list whose head is a fresh one while somebody wants to know what ASDF does.")
(defvar *contents* (make-hash-table :test 'equal :synchronized t)
  "By source file: a digest of what was compiled, and the compiled file.")

(defun digest (file)
  "Return a number that is another one for another content of FILE, nil when it cannot be read."
  (ignore-errors
   (with-open-file (in file :element-type '(unsigned-byte 8))
     (let ((octets (make-array (file-length in) :element-type '(unsigned-byte 8)))
           (number 14695981039346656037))
       (declare (type (unsigned-byte 64) number))
       (read-sequence octets in)
       (loop for octet across octets
             do (setf number (ldb (byte 64 0) (* (logxor number octet) 1099511628211))))
       number))))

(defun note-performed (perform operation component)
  "Around ASDF:PERFORM: remember which files are compiled and loaded, for who wants to know."
  (when (and *performed* (typep component 'asdf:cl-source-file)
             (typep operation '(or asdf:compile-op asdf:load-op)))
    (let ((source (asdf:component-pathname component)))
      (pushnew (sb-ext:native-namestring source) (car *performed*) :test #'string=)
      (when (typep operation 'asdf:compile-op)
        (setf (gethash (namestring source) *contents*)
              (list (digest source) (first (asdf:output-files operation component)))))))
  (funcall perform operation component))

(defun with-our-search (functions)
  "Return FUNCTIONS with ours first, but for the one that finds systems which are one file each: that asks
for the system around them itself, and we would answer with the file of a definition that has no such system."
  (flet ((inferring-p (each)
           (and (symbolp each) (string= each "SYSDEF-PACKAGE-INFERRED-SYSTEM-SEARCH"))))
    (let ((others (remove 'workspace-system-search functions)))
      (append (remove-if-not #'inferring-p others)
              '(workspace-system-search)
              (remove-if #'inferring-p others)))))

(defun prepare-asdf ()
  "Let ASDF ask us first and tell us what it does; an upgrade of ASDF, which anybody may load, forgets it."
  (setf asdf:*system-definition-search-functions*
        (with-our-search asdf:*system-definition-search-functions*))
  (sb-int:encapsulate 'asdf:perform 'descartes #'note-performed))

(defun forget-outdated ()
  "Remove compiled files whose source was changed in the second of its compilation, which ASDF cannot see."
  (loop for source being the hash-keys of *contents* using (hash-value known)
        for (digest compiled) = known
        when (and compiled
                  (uiop:file-exists-p source)
                  (uiop:file-exists-p compiled)
                  (= (file-write-date source) (file-write-date compiled))
                  (not (eql digest (digest source))))
          do (ignore-errors (delete-file compiled))))

;;; Loading

(defun quicklisp-setup ()
  "Return Quicklisp's setup file when it is there and was not loaded."
  (unless (find-package "QUICKLISP-CLIENT")
    (let ((home (sb-ext:posix-getenv "QUICKLISP_HOME")))
      (some (lambda (folder)
              (uiop:file-exists-p (merge-pathnames "setup.lisp" (uiop:ensure-directory-pathname folder))))
            (append (and (uiop:absolute-pathname-p (or home "")) (list home))
                    (loop for name in '("quicklisp/" ".quicklisp/" ".roswell/lisp/quicklisp/")
                          collect (merge-pathnames name (user-homedir-pathname))))))))

(defun ocicl-setup ()
  "Return the file that brings ocicl into an image when it is there and was not loaded."
  (unless (find-package "OCICL-RUNTIME")
    (uiop:file-exists-p (merge-pathnames ".local/share/ocicl/ocicl-runtime.lisp" (user-homedir-pathname)))))

(defun in-package-named (package name)
  (let ((package (find-package package)))
    (and package (find-symbol name package))))

(defun install-missing (name install)
  "Return whether there is hope for the system NAME now: a library manager was loaded, or has fetched it."
  (let ((setup (or (quicklisp-setup) (ocicl-setup))))
    (cond (setup
           (let ((*package* (find-package "COMMON-LISP-USER"))) (load setup))
           (setf *brought-ocicl* (and (find-package "OCICL-RUNTIME") t))
           (allow-downloads install)
           (prepare-asdf)
           t)
          ((and install (find-package "QUICKLISP-CLIENT") (offered-p name))
           (funcall (in-package-named "QUICKLISP-CLIENT" "QUICKLOAD") name :silent t)
           t))))

(defvar *brought-ocicl* nil "True when it was us who loaded ocicl, and not the user's initialization file.")

(defun allow-downloads (allowed)
  "Ocicl fetches whatever is asked for unless it is told not to."
  (let ((download (in-package-named "OCICL-RUNTIME" "*DOWNLOAD*")))
    (when (and *brought-ocicl* download) (setf (symbol-value download) allowed))))

(defun offered-p (name)
  "Return whether Quicklisp could fetch the system NAME."
  (let ((find-system (in-package-named "QL-DIST" "FIND-SYSTEM")))
    (and find-system (ignore-errors (funcall find-system name)) t)))

(defun library-managers (name)
  "Return what is there to get the system NAME with: :OFFERED when Quicklisp knows it."
  (list :quicklisp (cond ((offered-p name) :offered)
                         ((or (find-package "QUICKLISP-CLIENT") (quicklisp-setup)) t))
        :ocicl (and (or (find-package "OCICL-RUNTIME") (ocicl-setup)) t)))

(defun missing-system (condition)
  "Return the name of the system that CONDITION misses, nil when it is something else that is missing."
  (let ((required (asdf/find-component:missing-requires condition)))
    (typecase required
      ((or string symbol) (string-downcase required)))))

(defun call-reporting-missing (function install)
  "Call FUNCTION; return its values, or nil and (:missing SYSTEM :required-by SYSTEM …)."
  (loop with tried = '()
        do (block attempt
             (let ((problem (block missing
                              (handler-bind ((asdf:missing-component
                                               (lambda (condition) (return-from missing condition))))
                                (return (funcall function))))))
               (let ((name (missing-system problem))
                     (parent (ignore-errors (asdf/find-component:missing-required-by problem))))
                 (when (and name (< (count name tried :test #'equal) 3))
                   (push name tried)
                   (when (install-missing name install)
                     (return-from attempt)))
                 (return (values nil (list* :missing (or name (princ-to-string problem))
                                            :required-by (and parent (asdf:coerce-name parent))
                                            (and name (library-managers name))))))))))

(defun name-is-system-p (name)
  (handler-case (asdf:find-system name nil)
    (asdf:missing-component () nil)))

(defvar *definition-digests* (make-hash-table :test 'equal :synchronized t)
  "By the name of a .asd file: the digest of its text when it was last looked at.")

(defun refresh-definition (name)
  "Load the .asd file of the system NAME again when its text has changed.
ASDF compares seconds, and would not see a change in the second in which it read the file."
  (let ((file (workspace-system-search name)))
    (when file
      (let* ((key (namestring file))
             (before (gethash key *definition-digests*))
             (now (digest file)))
        (setf (gethash key *definition-digests*) now)
        (when (and before now (/= before now))
          (asdf:load-asd file))))))

(defun system-to-operate-on (name definition)
  "Return the system NAME, which the file DEFINITION defines when its own name does not say so."
  (refresh-definition name)
  (when (and definition (not (asdf:registered-system name)) (not (workspace-system-search name)))
    (asdf:load-asd (sb-ext:parse-native-namestring definition)))
  (asdf:find-system name))

(defun tested-systems (system &optional seen)
  "Return the systems that testing SYSTEM is about, by its `in-order-to`: those it goes on to, and itself."
  (unless (member system seen)
    (let ((seen (cons system seen)))
      (append
       (loop for (operation . components) in (asdf:component-depends-on
                                              (asdf:make-operation 'asdf:test-op) system)
             when (typep (if (symbolp operation) (asdf:make-operation operation) operation) 'asdf:test-op)
               append (loop for component in components
                            for found = (asdf:find-system component nil)
                            when found append (tested-systems found seen)))
       (list system)))))

(defun source-files (component)
  "Return the native names of the source files of COMPONENT, and of the systems that its files are."
  (append
   (typecase component
     (asdf:cl-source-file (list (sb-ext:native-namestring (asdf:component-pathname component))))
     (asdf:parent-component (mapcan #'source-files (copy-list (asdf:component-children component)))))
   (when (typep component (uiop:find-symbol* '#:package-inferred-system '#:asdf))
     (loop with family = (asdf:primary-system-name component)
           for name in (asdf:system-depends-on component)
           when (and (or (stringp name) (symbolp name))
                     (string= family (asdf:primary-system-name (asdf:coerce-name name)))
                     (asdf:registered-system name))
             append (source-files (asdf:registered-system name))))))

(defun load-for-tests (name definition load)
  "Load what testing the system NAME is about; return whether that went well, and (SYSTEM FILES) of each."
  (let* ((systems (remove-duplicates (tested-systems (system-to-operate-on name definition)) :from-end t))
         (loaded (loop for system in systems
                       always (operate "LOAD-OP" (asdf:component-name system) definition nil load))))
    (values loaded
            (list :tested (loop for system in systems
                                collect (list (asdf:component-name system)
                                              (remove-duplicates (source-files system) :test #'string=)))))))

(defun operate (operation name definition force load)
  (let ((uiop:*compile-file-failure-behaviour* (if load :warn uiop:*compile-file-failure-behaviour*)))
    (without-compiler-chatter
      (let ((system (system-to-operate-on name definition)))
        (handler-case (swank/backend:with-compilation-hooks ()
                        (asdf:operate (find-symbol operation "ASDF") system :force (and force t))
                        t)
          (uiop:compile-file-error () nil))))))

(defun asdfs-own-p (condition)
  "What ASDF says of a file is less than the compiler has said of its forms."
  (typep (swank/backend::original-condition condition) '(or uiop:compile-condition asdf:missing-component)))

(defun call-collecting-notes (function)
  "Return the notes of the compiler while FUNCTION is called, and its values as a list."
  (let ((notes '()))
    (let ((values (multiple-value-list
                   (handler-bind ((swank/backend:compiler-condition
                                    (lambda (condition)
                                      (unless (asdfs-own-p condition)
                                        (push (swank::make-compiler-note condition) notes)))))
                     (funcall function)))))
      (values (reverse notes) values))))

(defun operate-on-system (id client name operation definition force load install)
  "Do OPERATION, a name of ASDF's, on the system NAME as an evaluation; the files done are in its report.

LOAD: also what the compiler found faulty. INSTALL: what is missing may be fetched from elsewhere."
  (run-evaluation
   id client nil
   (lambda ()
     (let ((*performed* (list '())))
       (multiple-value-bind (notes values)
           (call-collecting-notes
            (lambda ()
              (prepare-asdf)
              (forget-outdated)
              (allow-downloads install)
              (unwind-protect
                   (with-compiled-files-in-cache
                     (call-reporting-missing
                      (lambda ()
                        (if (string= operation "TEST-OP")
                            (load-for-tests name definition load)
                            (operate operation name definition force load)))
                      install))
                (allow-downloads nil))))
         (destructuring-bind (success &optional missing) values
           (values (list notes success (list* :files (reverse (car *performed*)) missing)) '())))))))

(defun known-systems (all)
  "Return (NAME FILE LOADED) of each system that ASDF knows; with ALL also of those it could find."
  (let ((loaded (asdf:already-loaded-systems))
        (names (remove-duplicates
                (append (asdf:registered-systems) (and all (findable-systems))) :test #'string=)))
    (loop for name in (sort names #'string<)
          for system = (asdf:registered-system name)
          for file = (and system (ignore-errors (asdf:system-source-file system)))
          collect (list name
                        (and file (sb-ext:native-namestring file))
                        (and (member name loaded :test #'string=) t)))))

(defun findable-systems ()
  "Return the names of the systems that the source registry and the library managers have."
  (append
   (ignore-errors
    (asdf:ensure-source-registry)
    (loop for name being the hash-keys of (symbol-value (uiop:find-symbol* '#:*source-registry* '#:asdf))
          collect name))
   (let ((provided (in-package-named "QL-DIST" "INSTALLED-RELEASES"))
         (systems (in-package-named "QL-DIST" "PROVIDED-SYSTEMS"))
         (name (in-package-named "QL-DIST" "NAME"))
         (dists (in-package-named "QL-DIST" "ALL-DISTS")))
     (when (and provided systems name dists)
       (ignore-errors
        (loop for dist in (funcall dists)
              append (loop for release in (funcall provided dist)
                           append (mapcar name (funcall systems release)))))))))
