;;;; The life of an image that was started on another host or in a container: Swank, its secret, its record.
;;;;
;;;; Loaded there from a file that only its owner can read; `*letter*` stands before it. ASCII only.

(defpackage "DESCARTES-AWAY" (:use "COMMON-LISP"))
(in-package "DESCARTES-AWAY")

(defvar *letter* cl-user::*letter*)

(defun entry (name) (getf *letter* name))

(defun write-privately (path text)
  (let ((draft (concatenate 'string path ".draft")))
    (with-open-file (out draft :direction :output :if-exists :supersede)
      (write-string text out))
    (rename-file draft path)))

(defun fail (control &rest arguments)
  (with-open-file (out (entry :problem) :direction :output :if-exists :supersede)
    (write-line (substitute #\Space #\Newline (apply #'format nil control arguments)) out))
  (sb-ext:exit :code 1 :abort t))

(defparameter *places*
  '("/usr/share/common-lisp/source/slime/" "~/quicklisp/local-projects/slime*/"
    "~/quicklisp/dists/*/software/slime-*/" "~/common-lisp/slime*/"
    "~/.local/share/common-lisp/source/slime*/" "~/.emacs.d/elpa/slime-*/"
    "~/.config/emacs/elpa/slime-*/" "/usr/share/emacs/site-lisp/elpa/slime-*/"))

(defun loader-in (folder)
  (first (last (ignore-errors (directory (concatenate 'string folder "swank-loader.lisp"))))))

(defun loader ()
  (if (entry :swank)
      (or (loader-in (concatenate 'string (string-right-trim "/" (entry :swank)) "/"))
          (fail "`lisp.swank` names ~s, where there is no swank-loader.lisp on that side" (entry :swank)))
      (some #'loader-in *places*)))

(defun load-swank ()
  (let ((loader (loader)))
    (cond (loader (load loader :verbose nil)
                  (funcall (intern "INIT" "SWANK-LOADER")))
          (t (require :asdf)
             (funcall (intern "LOAD-SYSTEM" "ASDF") "swank")))))

(defun swank (name) (intern name "SWANK"))

(defun serve ()
  "Open the server; return its port."
  (let ((secret (entry :secret)))
    (sb-ext:without-package-locks
      (handler-bind ((warning #'muffle-warning))
        (setf (fdefinition (swank "SLIME-SECRET")) (lambda () secret)))))
  (setf (symbol-value (swank "*LOOPBACK-INTERFACE*")) "127.0.0.1")
  (funcall (swank "CREATE-SERVER") :port 0 :dont-close t :style :spawn))

(defun load-init-file ()
  (let ((file (probe-file (merge-pathnames ".sbclrc" (user-homedir-pathname)))))
    (when file
      (handler-case (let ((*package* (find-package "COMMON-LISP-USER"))) (load file))
        (serious-condition (problem) (format t "~&;; descartes: ~a: ~a~%" file problem))))))

(defun start-time ()
  (ignore-errors
   (with-open-file (in "/proc/self/stat" :external-format :latin-1)
     (let* ((line (read-line in))
            (fields (subseq line (+ 2 (position #\) line :from-end t)))))
       (loop repeat 19
             for start = 0 then (1+ end)
             for end = (position #\Space fields :start start)
             finally (return (subseq fields (1+ end) (position #\Space fields :start (1+ end)))))))))

(defun process-id () (funcall (intern "GETPID" "SWANK/BACKEND")))

(defun watch ()
  "Return when nobody has been connected for too long."
  (loop with idle = 0
        do (sleep 1)
           (setf idle (if (symbol-value (swank "*CONNECTIONS*")) 0 (1+ idle)))
        until (>= idle (entry :idle))))

(defun enter-workspace ()
  (when (and (entry :folder) (probe-file (entry :folder)))
    (setf *default-pathname-defaults* (truename (entry :folder)))
    (funcall (intern "SET-DEFAULT-DIRECTORY" "SWANK/BACKEND") (entry :folder))))

(handler-case
    (handler-bind ((warning #'muffle-warning))
      (sb-ext:enable-debugger)
      (load-swank)
      (when (entry :init) (load-init-file))
      (enter-workspace)
      (let ((port (serve)))
        (write-privately (entry :record)
                         (with-standard-io-syntax
                           (prin1-to-string (list :pid (process-id) :port port :secret (entry :secret)
                                                  :started (start-time)))))))
  (serious-condition (problem)
    (fail "Swank could not be started there: ~a (Debian and Ubuntu: `sudo apt install cl-swank`)" problem)))
(watch)
(ignore-errors (delete-file (entry :record)))
(sb-ext:exit :code 0 :abort t)
