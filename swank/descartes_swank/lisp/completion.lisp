;;;; Completion: which visible symbols a person may mean by a few letters.

(in-package "DESCARTES-SERVICE")

;;; How well a pattern fits a name: NIL, or a number, the greater the better. Case never counts.

(defun compound-p (pattern name)
  "True when each piece of PATTERN between hyphens begins the next piece of NAME: m-v-b, multiple-value-bind."
  (loop with from = 0
        with at = 0
        for hyphen = (position #\- pattern :start from)
        for piece = (subseq pattern from hyphen)
        do (unless (starts-at-p piece name at) (return nil))
           (unless hyphen (return t))
           (let ((next (position #\- name :start (+ at (length piece)))))
             (unless next (return nil))
             (setf from (1+ hyphen)
                   at (1+ next)))))

(defun scattered-score (pattern name)
  "Score the letters of PATTERN in order within NAME, the first one at the start of a word of it."
  (declare (type simple-string pattern name))
  (loop with at of-type fixnum = 0
        with score of-type fixnum = 300
        for char across pattern
        for first = t then nil
        for place = (position char name :start at :test #'char-equal)
        do (loop while (and place first (plusp place) (alphanumericp (char name (1- place))))
                 do (setf place (position char name :start (1+ place) :test #'char-equal)))
           (unless place (return nil))
           (decf score (min 20 (- place at)))
           (setf at (1+ place))
        finally (return (and (> score 200) (- score (ash (length name) -2))))))

(defun fit (pattern name)
  "Return how well PATTERN fits NAME, or NIL."
  (let ((excess (- (length name) (length pattern)))
        (place nil))
    (cond ((minusp excess) nil)
          ((starts-at-p pattern name 0) (- 1000 (min 200 excess)))
          ((and (find #\- pattern) (compound-p pattern name)) (- 750 (min 100 excess)))
          ((< (length pattern) 2) nil)
          ((setf place (search pattern name :test #'char-equal))
           (- (if (alphanumericp (char name (1- place))) 450 600) (min 100 excess)))
          ((< (length pattern) 3) nil)
          (t (scattered-score pattern name)))))

;;; Where to look

(defun collect-fits (pattern package external-only)
  "Return a list of (score . symbol) of the symbols of PACKAGE that fit PATTERN."
  (let ((found '()))
    (flet ((consider (symbol)
             (let ((score (fit pattern (symbol-name symbol))))
               (when score
                 (push (cons (+ score (standing symbol package)) symbol) found)))))
      (if external-only
          (do-external-symbols (symbol package) (consider symbol))
          (do-symbols (symbol package) (consider symbol))))
    found))

(defun standing (symbol package)
  "Return what makes one of two equal fits the likelier: it names something, it is the package's own."
  (+ (if (or (fboundp symbol) (boundp symbol) (named-class symbol)) 20 0)
     (if (eq (symbol-package symbol) package) 10 0)))

(defun best-fits (fits limit)
  "Return the symbols of the LIMIT best of FITS, each once."
  (let ((sorted (sort fits (lambda (one other)
                             (if (= (car one) (car other))
                                 (string< (symbol-name (cdr one)) (symbol-name (cdr other)))
                                 (> (car one) (car other))))))
        (seen (make-hash-table :test #'eq)))
    (loop for (nil . symbol) in sorted
          while (< (hash-table-count seen) limit)
          unless (gethash symbol seen)
            collect symbol
            and do (setf (gethash symbol seen) t))))

(defun package-candidates (pattern package limit)
  "Return the packages, by any name that is good in PACKAGE, that begin with PATTERN."
  (let ((names (append (mapcar #'car (sb-ext:package-local-nicknames package))
                       (loop for each in (list-all-packages)
                             collect (package-name each)
                             append (package-nicknames each)))))
    (loop for name in (sort (remove-duplicates
                             (remove-if-not (lambda (name) (starts-at-p pattern name 0)) names)
                             :test #'string=)
                            #'string<)
          repeat limit
          collect (list :object
                        "label" (concatenate 'string (written-name name) ":")
                        "kind" "package"
                        "package" (package-name (visible-package name package))))))

(defun split-prefix (text)
  "Return the part of TEXT up to and with its colons, or the empty string, and the part behind them."
  (let ((end (position #\: text :from-end t)))
    (if end
        (values (subseq text 0 (1+ end)) (subseq text (1+ end)))
        (values "" text))))

(defun prefixed-package (prefix package)
  "Return the package that PREFIX, \"alexandria:\", means in PACKAGE, or NIL."
  (let ((name (string-right-trim ":" prefix)))
    (if (string= name "")
        (find-package "KEYWORD")
        (let ((parsed (parse-token name)))
          (and parsed (visible-package parsed package))))))

(defun labelled (symbol prefix upper-case)
  (let ((name (short-name symbol)))
    (concatenate 'string prefix (if (and upper-case (plain-name-p (symbol-name symbol)))
                                    (string-upcase name)
                                    name))))

(defun completions (text package limit)
  "Return a vector of up to LIMIT candidates for TEXT, the best first."
  (multiple-value-bind (prefix pattern) (split-prefix text)
    (let* ((pattern (coerce (remove #\| pattern) 'simple-string))
           (home (if (string= prefix "") package (prefixed-package prefix package)))
           (single-colon (and (string/= prefix "") (string/= prefix ":")
                              (not (search "::" prefix))))
           (upper-case (and (some #'upper-case-p pattern) (notany #'lower-case-p pattern)))
           (symbols (and home (best-fits (collect-fits pattern home single-colon) limit))))
      (coerce (append (loop for symbol in symbols
                            collect (candidate (labelled symbol prefix upper-case) symbol))
                      (and (string= prefix "")
                           (string/= pattern "")
                           (package-candidates pattern package (- limit (length symbols)))))
              'vector))))
