;;;; Loaded into a bare Lisp: brings in Swank and the rest of these files, for a core or to go on with.
;;;;
;;;; The caller has set CL-USER::*DESCARTES*, a plist: :LOADER, Swank's loader; :FASLS, an empty folder
;;;; for compiled files, with a slash at its end; :FILES, our files in order; :VERSION, that of the files for
;;;; sessions; :CORE, the core to save, or NIL to start at once.

(require "ASDF")
(require "SB-INTROSPECT")
(require "SB-POSIX")
(require "SB-BSD-SOCKETS")

(in-package "COMMON-LISP-USER")

(defvar *descartes*)

(defun descartes-fasls (folder)
  (ensure-directories-exist (concatenate 'string (getf *descartes* :fasls) folder "/")))

;; Whichever of the two a Swank obeys: nothing is written into the user's caches.
(asdf:initialize-output-translations
 `(:output-translations (t (,(descartes-fasls "asdf") :**/ :*.*.*)) :ignore-inherited-configuration))

(handler-bind ((warning #'muffle-warning))
  (let ((*compile-verbose* nil)
        (*load-verbose* nil)
        (*compile-print* nil))
    (load (getf *descartes* :loader))
    (setf (symbol-value (find-symbol "*FASL-DIRECTORY*" "SWANK-LOADER")) (descartes-fasls "swank"))
    (funcall (find-symbol "INIT" "SWANK-LOADER") :setup nil :load-contribs nil)
    (dolist (module '("SWANK-UTIL" "SWANK-REPL" "SWANK-C-P-C" "SWANK-ARGLISTS" "SWANK-FUZZY" "SWANK-ASDF"))
      (funcall (find-symbol "SWANK-REQUIRE" "SWANK") (intern module "KEYWORD")))
    (with-compilation-unit ()
      (dolist (file (getf *descartes* :files))
        (load (compile-file file :output-file (concatenate 'string (descartes-fasls "own")
                                                           (pathname-name file) ".fasl")
                                 :external-format :utf-8))))))

(setf (symbol-value (find-symbol "*VERSION*" "DESCARTES-BOOT")) (getf *descartes* :version))

(let ((core (getf *descartes* :core)))
  (makunbound '*descartes*)
  (fmakunbound 'descartes-fasls)
  (if core
      (funcall (find-symbol "SAVE" "DESCARTES-BOOT") core)
      (funcall (find-symbol "START-FROM-SOURCE" "DESCARTES-BOOT"))))
