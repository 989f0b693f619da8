;;;; The life of an image of another implementation than SBCL, in portable Common Lisp: Swank, its secret, its
;;;; port, an end without clients. Loaded from a file that only its owner can read; `*letter*` stands before it.

(defpackage "DESCARTES-PLAIN" (:use "COMMON-LISP"))
(in-package "DESCARTES-PLAIN")

(defvar *letter* cl-user::*letter*)

(defun entry (name) (getf *letter* name))

(defun swank (name) (intern name "SWANK"))

(defun tell (text)
  "Write TEXT where the starting process looks: first to another name, so that nobody reads half of it."
  (let ((draft (concatenate 'string (entry :report) ".draft")))
    (with-open-file (out draft :direction :output :if-exists :supersede)
      (write-line (substitute #\Space #\Newline text) out))
    (rename-file draft (entry :report) #+ecl :if-exists #+ecl :supersede)))

(defun serve ()
  (load (entry :loader) :verbose nil)
  (funcall (intern "INIT" "SWANK-LOADER"))
  (let ((secret (entry :secret)))
    (setf (fdefinition (swank "SLIME-SECRET")) (lambda () secret)))
  (setf (symbol-value (swank "*LOOPBACK-INTERFACE*")) "127.0.0.1")
  (funcall (swank "CREATE-SERVER") :port 0 :dont-close t))

(defun watch ()
  "Return when nobody has been connected for too long, or the workspace is gone."
  (loop with idle = 0
        do (sleep 1)
           (setf idle (if (symbol-value (swank "*CONNECTIONS*")) 0 (1+ idle)))
        until (or (>= idle (entry :idle))
                  (not (probe-file (entry :folder))))))

(handler-case
    (let ((port (handler-bind ((warning (function muffle-warning))) (serve))))
      (tell (format nil "ready ~d" port)))
  (error (problem)
    (tell (format nil "failed ~a" problem))
    (funcall (intern "QUIT-LISP" "SWANK/BACKEND"))))
(watch)
(funcall (intern "QUIT-LISP" "SWANK/BACKEND"))
